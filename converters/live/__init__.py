"""Modules of other frameworks to NIR, through the framework's own writer; what that leaves out is put back."""
