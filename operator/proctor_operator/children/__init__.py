"""Pure builders: from a parsed resource to the objects that it owns, one kind a file."""
