CREATE TABLE tenants (
	id VARCHAR(64) NOT NULL,
	highest_label VARCHAR(200) NOT NULL,
	prompt_label VARCHAR(200) NOT NULL,
	profile VARCHAR(32) NOT NULL,
	created VARCHAR(32) NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE identity_state (
	id INTEGER NOT NULL,
	schema_version INTEGER NOT NULL,
	changes BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE purposes (
	tenant VARCHAR(64) NOT NULL,
	id VARCHAR(64) NOT NULL,
	name_ms VARCHAR(200) NOT NULL,
	name_en VARCHAR(200) NOT NULL,
	needs_passport BOOLEAN NOT NULL,
	created VARCHAR(32) NOT NULL,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE keys (
	id VARCHAR(64) NOT NULL,
	tenant VARCHAR(64) NOT NULL,
	name VARCHAR(200) NOT NULL,
	hash BLOB NOT NULL,
	roles VARCHAR(200) NOT NULL,
	scopes VARCHAR(200) NOT NULL,
	clearance VARCHAR(200) NOT NULL,
	created VARCHAR(32) NOT NULL,
	expires VARCHAR(32),
	revoked VARCHAR(32),
	last_used VARCHAR(32),
	PRIMARY KEY (id),
	FOREIGN KEY(tenant) REFERENCES tenants (id),
	UNIQUE (hash)
);
CREATE INDEX ix_keys_tenant ON keys (tenant);
INSERT INTO identity_state VALUES (1, 1, 4);
INSERT INTO tenants VALUES ('default', 'terhad/restricted/personal/MY', 'terbuka/public/none/MY', 'sme', '2026-11-22T00:00:00Z');
INSERT INTO keys VALUES ('key_old', 'default', 'from before', 'not a real digest', 'member', '', 'terbuka/public/none/-', '2026-11-22T00:00:00Z', NULL, NULL, NULL);
