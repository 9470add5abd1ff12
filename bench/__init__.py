"""How fast the suite is, beside the recipe that it automates: ``python -m bench``."""
