"""Database roles of the processes: each process has one role, and each role has only its own rights."""

PREFIX = "muniment_"

OWNER = "muniment_owner"  # owns the schema: changes it at start, and serves nobody
WEB = "muniment_web"
WORKER = "muniment_worker"
CONFIRMATION = "muniment_confirmation"  # shows one request, takes one signature
SEQUENCER = "muniment_sequencer"
ERASER = "muniment_eraser"
OPERATOR = "muniment_operator"  # commands at the shell: backup, doctor, link

PROCESSES = (WEB, WORKER, CONFIRMATION, SEQUENCER, ERASER, OPERATOR)
ROLES = (OWNER, *PROCESSES)
NAMES = {role.removeprefix(PREFIX): role for role in ROLES}
