"""The controller: seven pure-in-the-middle stages from a resource to its children and status."""
