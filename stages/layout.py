"""What lies in an output folder, by name. Each of several sources has a folder of its own name in it."""

from __future__ import annotations

MANIFEST, LOCK = ".facepipe.manifest", ".facepipe.lock"
RUN, RUN_PART = "run.json", ".run.json.part"  # how the run stands; the next such file, until it has its name
RESULTS, DROP_LOG, SUMMARY = "results.jsonl", "account.jsonl", "summary.json"
REQUESTS = ".facepipe.requests"  # the folder for what a run is asked while it goes on: stages.running.requests
CONNECT = ".facepipe.connect"  # the folder for what was sent of the events, and for the picture that is sent
ANNOTATED, SAVED, LOGS = "annotated", "saved", "logs"
EVENTS = "events.jsonl"
PORTRAITS = "portraits"  # small pictures of the people, with nothing drawn into them
# With `render.rotate`: the folder of the pieces, each of which has these files; and what came before a piece.
PIECES, PIECE = "pieces", "piece.json"
# What `python -m stages.report` makes of them.
REPORT, CSV, PARQUET, CONTACT_SHEET = "report.html", "faces.csv", "faces.parquet", "contact-sheet.jpg"
COMPARISON = "comparison.html"  # of two runs, in the folder of the first one
DIGEST = "digest.json"  # of a film in an archive: what the page over all films says of it
EXPORT = "export"  # the folder of what `python -m stages.export` makes
PEOPLE, SECONDS, DAYS = "people", "seconds", "days"  # tables of `python -m stages.people`, with .csv and .parquet

_TABLES = tuple(f"{table}{suffix}" for table in (PEOPLE, SECONDS, DAYS) for suffix in (".csv", ".parquet"))
_OUTPUTS = (RESULTS, EVENTS, DROP_LOG, SUMMARY, ANNOTATED, PORTRAITS, SAVED, LOGS, PIECES)
_OF_A_RUN = (MANIFEST, LOCK, REQUESTS, CONNECT, RUN, RUN_PART, *_OUTPUTS)
ALL = (*_OF_A_RUN, REPORT, COMPARISON, DIGEST, CSV, PARQUET, CONTACT_SHEET, EXPORT, *_TABLES)


def picture_name(folder: str) -> str:
    """The file in `CONNECT` with the last picture of a source; `folder`: of its results, "" for that of the run."""
    return f"{folder}.jpg" if folder else "_.jpg"


LINE_BYTES = 10_000_000  # of results.jsonl at most: the largest frame that is allowed, with 256 faces, takes a tenth

# Of an archive of films: the films and how each of them stands; the page over all of them.
ARCHIVE, ARCHIVE_REPORT = "archive.json", "archive.html"
