"""The vault: OpenBao, our own or the company's. Values go from it to a pipeline's process, and nowhere else."""
