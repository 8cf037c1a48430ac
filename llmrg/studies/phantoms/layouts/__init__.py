"""On-disk layouts of the datasets that phantoms imitate, one file each, by the name of their format."""
