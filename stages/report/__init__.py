"""What can be made of the results of a run, once they are there: a page to look at, tables and subtitles."""
