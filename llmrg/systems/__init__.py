"""Systems: how parts become a way from study to report, saved and loaded as runs."""
