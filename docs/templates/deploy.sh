#!/usr/bin/env bash
# Deploys what was built from one commit of a protected branch: any machine with a shell.
# It has a key of its own for this environment: docs/guides/pipeline-secrets.md says how to make one.
set -euo pipefail

export MUNIMENT_URL=https://muniment.example.test
export MUNIMENT_VAULT_URL=https://vault.example.test
export MUNIMENT_RUNNER_KEY=/etc/muniment/runner.key
export MUNIMENT_PRODUCT=shop
MUNIMENT_COMMIT=$(git rev-parse --verify 'HEAD^{commit}')
export MUNIMENT_COMMIT

./build.sh shop.tar # also writes provenance.json, signed by a trusted builder: see provenance.sh
artifact="sha256:$(sha256sum shop.tar | cut -d' ' -f1)"
# ./deploy.sh gets the secrets that are named here, and no other.
exec muniment deploy --env production --secret DATABASE_URL --file DEPLOY_KEY \
  --artifact "$artifact" --provenance provenance.json --undo ./undo.sh -- ./deploy.sh
