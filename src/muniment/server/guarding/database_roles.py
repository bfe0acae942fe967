"""Database roles of the processes: each process has one role, and each role has only its own rights."""

ROLE_PREFIX = "muniment_"

OWNER = "muniment_owner"  # owns the schema: changes it at start, and serves nobody
WEB = "muniment_web"
WORKER = "muniment_worker"
CONFIRMATION = "muniment_confirmation"  # shows one request, takes one signature
SEQUENCER = "muniment_sequencer"
ERASER = "muniment_eraser"
OPERATOR = "muniment_operator"  # commands at the shell: backup, doctor, link

PROCESSES = (WEB, WORKER, CONFIRMATION, SEQUENCER, ERASER, OPERATOR)
DATABASE_ROLES = (OWNER, *PROCESSES)
ROLE_NAMES = {role.removeprefix(ROLE_PREFIX): role for role in DATABASE_ROLES}

# Connections of each login at most, over all machines: one that is taken over leaves the others their own. Together
# they are fewer than the connections of the embedded server.
CONNECTION_LIMITS = {WEB: 60, WORKER: 80, CONFIRMATION: 10, SEQUENCER: 8, ERASER: 8, OPERATOR: 12}
