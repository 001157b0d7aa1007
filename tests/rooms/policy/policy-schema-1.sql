CREATE TABLE instruments (
  tenant VARCHAR(64) NOT NULL, id VARCHAR(64) NOT NULL, kind VARCHAR(32) NOT NULL, title VARCHAR(200) NOT NULL,
  hash VARCHAR(64) NOT NULL, ground VARCHAR(16) NOT NULL, destinations VARCHAR(200) NOT NULL,
  starts VARCHAR(10) NOT NULL, ends VARCHAR(10), withdrawn VARCHAR(32), PRIMARY KEY (tenant, id)
);
CREATE TABLE incidents (
  id VARCHAR(64) NOT NULL, tenant VARCHAR(64) NOT NULL, title VARCHAR(200) NOT NULL, kinds VARCHAR(64) NOT NULL,
  noticed VARCHAR(32) NOT NULL, affected BIGINT, closed VARCHAR(32), PRIMARY KEY (id)
);
CREATE INDEX ix_incidents_tenant ON incidents (tenant);
CREATE TABLE incident_steps (
  incident VARCHAR(64) NOT NULL, rule VARCHAR(64) NOT NULL, done VARCHAR(32) NOT NULL,
  reference VARCHAR(200) NOT NULL, late_reason VARCHAR(500) NOT NULL, PRIMARY KEY (incident, rule),
  FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE TABLE quota_limits (
  tenant VARCHAR(64) NOT NULL, scope VARCHAR(128) NOT NULL, period VARCHAR(8) NOT NULL, unit VARCHAR(16) NOT NULL,
  amount BIGINT NOT NULL, PRIMARY KEY (tenant, scope, period, unit)
);
CREATE TABLE quota_used (
  tenant VARCHAR(64) NOT NULL, scope VARCHAR(128) NOT NULL, period VARCHAR(8) NOT NULL, unit VARCHAR(16) NOT NULL,
  window_start BIGINT NOT NULL, used BIGINT NOT NULL, PRIMARY KEY (tenant, scope, period, unit, window_start)
);
CREATE TABLE quota_state (id INTEGER NOT NULL, changes BIGINT NOT NULL, PRIMARY KEY (id));
INSERT INTO quota_state VALUES (1, 3);
INSERT INTO quota_limits VALUES ('default', 'tenant', 'month', 'tokens', 5000);
INSERT INTO incidents VALUES ('inc_old', 'default', 'from before', 'cyber', '2026-01-01T00:00:00Z', NULL, NULL);
INSERT INTO instruments VALUES ('default', 'TIA-OLD', 'tia', 'from before', '', '1B', 'SG', '2026-01-01', NULL, NULL);
