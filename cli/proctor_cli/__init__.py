"""The `proctor` command and the embedded cluster that it runs on."""
