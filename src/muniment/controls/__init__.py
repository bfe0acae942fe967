"""One module per control: facts and parameters in, a result with reasons out. `decision.catalogue` names them all."""
