CREATE TABLE IF NOT EXISTS documents (
  doc INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, collection TEXT NOT NULL, document TEXT NOT NULL,
  path TEXT NOT NULL, digest TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, title TEXT NOT NULL,
  origin TEXT NOT NULL, dated TEXT NOT NULL, language TEXT NOT NULL, label TEXT NOT NULL,
  passages INTEGER NOT NULL, stems TEXT NOT NULL DEFAULT '',
  indexed INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, collection, document));
CREATE TABLE IF NOT EXISTS passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, doc INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
  number INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER NOT NULL,
  heading TEXT NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL, stems TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS passages_doc ON passages (doc, number);
CREATE TABLE IF NOT EXISTS gone (doc INTEGER PRIMARY KEY);
INSERT INTO documents (tenant, collection, document, path, digest, status, reason, title, origin, dated, language, label, passages, stems)
VALUES ('t', 'c', 'a', '', '1', 'ready', '', 'a', 'a', '', 'ms', 'terbuka/public/none/-', 1, 'kopi');
INSERT INTO passages (doc, number, start, "end", page, heading, label, text, stems)
VALUES (1, 1, 0, 4, 0, '', 'terbuka/public/none/-', 'kopi', 'kopi');
PRAGMA user_version = 2;
