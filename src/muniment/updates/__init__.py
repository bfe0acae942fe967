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

No module starts a program. Content of a repository is hostile: each parser is bounded, and refuses what it does not
understand.
"""
