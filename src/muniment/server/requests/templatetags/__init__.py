"""Tags of templates about acts."""
