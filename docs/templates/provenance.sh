#!/usr/bin/env bash
# Says which commit an artifact was made of, signed with the builder's key: SLSA provenance v1 in DSSE.
# For builders that no tool does this for. It runs where the artifact is built, and the key stays there:
#   openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out builder.key && chmod 600 builder.key
#   openssl pkey -in builder.key -pubout      # for the page Builders
# provenance.sh ARTIFACT COMMIT > provenance.json
set -euo pipefail

builder=https://ci.example.test/builder # as the policy names it
key=${BUILDER_KEY:-/etc/muniment/builder.key}
repository=git+https://git.example.test/shop

digest=$(sha256sum "$1" | cut -d' ' -f1)
commit=$(git rev-parse --verify "$2^{commit}")
kind=application/vnd.in-toto+json
statement=$(
  cat <<JSON
{"_type": "https://in-toto.io/Statement/v1",
 "subject": [{"name": "shop", "digest": {"sha256": "$digest"}}],
 "predicateType": "https://slsa.dev/provenance/v1",
 "predicate": {
  "buildDefinition": {
   "buildType": "$builder/v1", "externalParameters": {},
   "resolvedDependencies": [{"uri": "$repository", "digest": {"gitCommit": "$commit"}}]},
  "runDetails": {"builder": {"id": "$builder"}}}}
JSON
)
signature=$(
  printf 'DSSEv1 %d %s %d %s' ${#kind} "$kind" ${#statement} "$statement" |
    openssl dgst -sha256 -sign "$key" | base64 -w0
)
printf '{"payloadType": "%s", "payload": "%s", "signatures": [{"sig": "%s"}]}\n' \
  "$kind" "$(printf %s "$statement" | base64 -w0)" "$signature"
