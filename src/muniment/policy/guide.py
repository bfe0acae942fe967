"""Guide for code review with attention to security: few questions, chosen by the paths that a change touches.

After OWASP's Code Review Guide and NIST SP 800-218 (PW.7), in our own words.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from msgspec import Struct

from muniment.policy.patterns import compile_patterns

SENSITIVE = "sensitive"


class ReviewQuestion(Struct, frozen=True):
    """Review question for a security reviewer. `id` is for `muniment approve --answer ID=TEXT`.

    `paths` are the patterns that bring its topic up; none for the topic `sensitive`: those stand in the clause.
    """

    id: str
    topic: str
    text: str
    paths: tuple[str, ...]


def _list_patterns(names: str) -> tuple[str, ...]:
    return tuple(f"**/{name}" for name in names.split())


ALWAYS_SENSITIVE: dict[str, tuple[str, ...]] = {
    "policy": (
        *(".muniment", ".muniment/**"),  # also as a link or a submodule
        *(".github/settings.yml", ".github/rulesets/**", ".asf.yaml", "**/.gitattributes"),
    ),
    "people": (
        *(".muniment/people.toml", "**/CODEOWNERS", "**/OWNERS", "**/OWNERS_ALIASES"),
        *("**/authorized_keys", "**/allowed_signers", "**/.mailmap"),
    ),
    "pipeline": (
        *(".github", ".github/workflows/**", ".github/actions/**", "**/action.yml", "**/action.yaml"),
        *(".gitea", ".gitea/workflows/**", ".forgejo", ".forgejo/workflows/**"),
        *("**/.gitlab-ci.yml", "**/*.gitlab-ci.yml", ".gitlab", ".gitlab/ci/**", ".gitlab-ci/**"),
        *("**/Jenkinsfile*", "**/*.jenkinsfile", ".ci", ".ci/**", "ci/**", ".woodpecker*", ".woodpecker/**"),
        *(".circleci/**", ".buildkite/**", ".travis.yml", ".cirrus*", ".drone*", ".builds/**", ".build.yml"),
        *("appveyor.yml", ".appveyor.yml", "azure-pipelines*", ".azure-pipelines/**", ".semaphore/**"),
        *("bitbucket-pipelines.yml", "**/cloudbuild.y*ml", "**/buildspec.y*ml", ".tekton/**", ".teamcity/**"),
        *(".zuul.y*ml", ".zuul.d/**", "zuul.d/**", ".goreleaser.y*ml", ".pre-commit-*.yaml", ".husky/**"),
        *("**/Dockerfile*", "**/*.dockerfile", "**/Containerfile*", ".devcontainer/**", ".githooks/**"),
    ),
    "dependencies": (
        *_list_patterns("package.json package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml .pnpmfile.cjs"),
        *_list_patterns("pnpm-workspace.yaml .npmrc .yarnrc .yarnrc.yml .yarn/** bun.lock bun.lockb deno.json*"),
        *_list_patterns("deno.lock requirements*.txt requirements*.in requirements/* constraints*.txt bower.json"),
        *_list_patterns("pyproject.toml setup.py setup.cfg Pipfile Pipfile.lock poetry.lock uv.lock pdm.lock"),
        *_list_patterns("pylock*.toml uv.toml pip.conf environment.y*ml conda-lock.yml pixi.toml pixi.lock"),
        *_list_patterns("Gemfile Gemfile.lock gems.rb gems.locked *.gemspec Cargo.toml Cargo.lock go.mod go.sum"),
        *_list_patterns(".cargo/config* go.work go.work.sum vendor/modules.txt rust-toolchain* renv.lock cpanfile*"),
        *_list_patterns("pom.xml .mvn/** build.gradle* settings.gradle* gradle.lockfile libs.versions.toml"),
        *_list_patterns("gradle/verification-metadata.xml gradle/wrapper/* build.sbt project/plugins.sbt ivy.xml"),
        *_list_patterns("*.csproj *.fsproj *.vbproj packages.config packages.lock.json Directory.Packages.props"),
        *_list_patterns("Directory.Build.* nuget.config paket.dependencies paket.lock composer.json composer.lock"),
        *_list_patterns("mix.exs mix.lock rebar.config rebar.lock Package.swift Package.resolved Podfile*"),
        *_list_patterns("Cartfile* pubspec.yaml pubspec.lock *.cabal cabal.project* stack.yaml stack.yaml.lock"),
        *_list_patterns("conanfile.* conan.lock vcpkg.json vcpkg-configuration.json flake.nix flake.lock"),
        *_list_patterns("MODULE.bazel* WORKSPACE WORKSPACE.bazel Chart.yaml Chart.lock .terraform.lock.hcl"),
        *_list_patterns(".gitmodules dependabot.y*ml renovate.json* .renovaterc*"),
    ),
    "access-control": (
        *_list_patterns("permission* permission*/** authoriz* authoriz*/** authoris* authoris*/** authent*"),
        *_list_patterns("authent*/** auth auth/** auth.* auth_* auth-* authz* authz*/** authn* authn*/** oauth*"),
        *_list_patterns("oauth*/** rbac* rbac*/** acl acl.* acl/** acls.* acls/** iam iam.* iam-* iam_* iam/**"),
        *_list_patterns("access/** access_control* access-control* accesscontrol* access_control*/**"),
        *_list_patterns("access-control*/** policies/** *.rego *.cedar sudoers sudoers.d/** login.* login/**"),
    ),
}

TOPICS = (*ALWAYS_SENSITIVE, SENSITIVE)

_TEXTS = {
    "policy-weaker": (
        "policy",
        "What gets weaker or is no longer looked at, for how long, and who wants that?",
    ),
    "people-need": (
        "people",
        "Does everyone who gains a key, role or repository need it now? How do you know that the key is theirs?",
    ),
    "pipeline-reach": (
        "pipeline",
        "Which secrets, networks or releases can this step reach? Can code that nobody reviewed get there?",
    ),
    "pipeline-pinned": (
        "pipeline",
        "Is everything that it fetches and runs pinned to its content? Does it stop when a step fails?",
    ),
    "dependencies-origin": (
        "dependencies",
        "Why is each new or moved dependency needed? How do you know it is the one meant: "
        "its name, its origin, its locked digest?",
    ),
    "access-gain": (
        "access-control",
        "Who can do what they could not do before, and is that the least they need?",
    ),
    "access-failure": (
        "access-control",
        "Is every way in still checked, and what happens when the check itself fails?",
    ),
    "sensitive-abuse": (
        SENSITIVE,
        "What is the worst that hostile input, a stolen account or a half-done step could do here? What stops it?",
    ),
}

QUESTIONS = tuple(
    ReviewQuestion(id, topic, text, ALWAYS_SENSITIVE.get(topic, ())) for id, (topic, text) in _TEXTS.items()
)


def find_topics(paths: Iterable[str], sensitive: tuple[str, ...]) -> tuple[str, ...]:
    """Topics of changed paths, in the order of `TOPICS`.

    `sensitive` are the clause's own patterns. Upper and lower case are one: on many file systems they are one file.
    """
    own = compile_patterns(sensitive, ignore_case=True)
    every = tuple(paths)
    found = set(chain.from_iterable(map(_find_path_topics, every)))
    if any(map(own.fullmatch, every)):
        found.add(SENSITIVE)
    return tuple(topic for topic in TOPICS if topic in found) if found else ()


def select_questions(asked: Iterable[str]) -> tuple[ReviewQuestion, ...]:
    """Questions of the topics `asked`. KeyError for an unknown topic: nobody would ever answer it."""
    chosen = frozenset(asked)
    if strange := chosen.difference(TOPICS):
        raise KeyError(", ".join(sorted(strange)))
    return tuple(question for question in QUESTIONS if question.topic in chosen)


@lru_cache(maxsize=16384)  # a history touches the same paths again and again
def _find_path_topics(path: str) -> tuple[str, ...]:
    folded = path.casefold()
    every = tuple(pattern for patterns in ALWAYS_SENSITIVE.values() for pattern in patterns)
    if not _compile_folded(every).fullmatch(folded):
        return ()
    return tuple(topic for topic, patterns in ALWAYS_SENSITIVE.items() if _compile_folded(patterns).fullmatch(folded))


@lru_cache(maxsize=16)
def _compile_folded(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return compile_patterns(tuple(pattern.casefold() for pattern in patterns))
