// Nothing to do yet on pages that work without it.
