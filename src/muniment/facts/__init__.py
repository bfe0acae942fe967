"""Facts: frozen records of the world. Each is Known(value) or Unknown(reason); nothing here reads anything."""
