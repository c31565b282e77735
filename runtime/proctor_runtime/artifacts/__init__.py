"""An evaluation's files in a bucket: fetched before it, kept while it runs."""
