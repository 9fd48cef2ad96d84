BEGIN TRANSACTION;
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    time_us INTEGER NOT NULL,
    level TEXT NOT NULL,
    arm TEXT NOT NULL,
    reason TEXT NOT NULL,
    policy TEXT NOT NULL,
    certificate TEXT,
    propensity REAL NOT NULL CHECK (propensity > 0 AND propensity <= 1),
    is_audited INTEGER NOT NULL CHECK (is_audited IN (0, 1)),
    dials TEXT NOT NULL,        -- JSON: {name: number}
    forecasts TEXT NOT NULL,    -- JSON: [[arm, right, low, high, the five numbers of a cost], ...]
    reference TEXT,
    features BLOB,              -- float64, little end first
    digest BLOB
) STRICT;
INSERT INTO "decisions" VALUES(1,'req-1',1764000000000000,'query','small','cheapest','example/1',NULL,0.95,1,'{}','[["small",0.9,null,null,100,20,40000,0,0.2]]','large',X'000000000000E03F',X'646967657374');
CREATE TABLE grids (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    level TEXT NOT NULL,
    num_columns INTEGER NOT NULL CHECK (num_columns > 0),
    shares BLOB NOT NULL        -- float64 from 0 to 1, row after row
) STRICT;
INSERT INTO "grids" VALUES(1,'req-1','token',2,X'000000000000F03F000000000000E03F');
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    is_audit INTEGER NOT NULL CHECK (is_audit IN (0, 1)),
    arm TEXT,                   -- NULL: the decision's
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    nano_usd INTEGER NOT NULL,
    moved_bytes INTEGER NOT NULL,
    seconds REAL NOT NULL,
    correct INTEGER CHECK (correct IN (0, 1))
) STRICT;
INSERT INTO "outcomes" VALUES(1,'req-1',0,NULL,100,22,43100,0,0.25,1);
INSERT INTO "outcomes" VALUES(2,'req-1',1,'large',100,25,950000,0,1.5,1);
CREATE INDEX outcomes_by_request ON outcomes (request_id, is_audit);
CREATE TRIGGER decisions_keep_UPDATE BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
CREATE TRIGGER decisions_keep_DELETE BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
CREATE TRIGGER outcomes_keep_UPDATE BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
CREATE TRIGGER outcomes_keep_DELETE BEFORE DELETE ON outcomes
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
CREATE TRIGGER grids_keep_UPDATE BEFORE UPDATE ON grids
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
CREATE TRIGGER grids_keep_DELETE BEFORE DELETE ON grids
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
COMMIT;
PRAGMA application_id=1347243079;
PRAGMA user_version=1;
