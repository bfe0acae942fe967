"""The vault: where secrets live, how a command gets them, and how none of them is seen."""
