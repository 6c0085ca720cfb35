"""The one hardware form: integers and registers of a compiled network, in memory and on disk."""
