"""Dependencies of a repository, the advisories about them, and the versions without known vulnerabilities.

    dependencies      values: a dependency, a lock, a file that could not be read
    dependency_graph  which dependency is direct, and the path to it
    lock_formats      every format that is read, by file name
    repository_locks  all locks of a repository, and the manifests without one
    versions          order of versions, by ecosystem
    advisories        advisories of OSV's form
    advisory_exports  OSV's per-ecosystem export, from a file or by URL
    advisory_index    which advisories affect a version, and which products a vulnerability affects
    severities, due_dates, safe_versions, lock_comparison, sboms
    version_plans    the smallest joint set of versions; the resolver decides what fits together
    lock_updates     update of one lock, compared before it is proposed
    registry_offers  which versions a resolver may choose
    registry_proxy   the only thing that it reaches
    resolver_child   runs uv or npm, confined

Only `resolver_child` starts a program, by `muniment.programs`. Content of a repository is hostile: each parser is
bounded, and refuses what it does not
understand.
"""
