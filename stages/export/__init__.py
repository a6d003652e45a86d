"""Files for editors and researchers, made from the results of a finished run: markers, chapters, subtitles, tiers."""
