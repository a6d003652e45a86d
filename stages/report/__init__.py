"""What can be made of the results of a run: a page, tables, contact sheets, subtitles."""
