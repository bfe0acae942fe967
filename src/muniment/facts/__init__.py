"""Frozen records of the world. Each is Known(value) or Unknown(why); nothing here reads anything."""
