"""A NIR graph as a module made of Norse's neurons."""
