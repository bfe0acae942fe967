"""A secret whose name programs obey is refused; one that is named for a credential is not."""

import pytest

from muniment.vault.variable_names import find_obeyed_variable

_OBEYED = """
BASH_ENV ENV SHELLOPTS BASHOPTS PROMPT_COMMAND PS4 IFS CDPATH PATH HOME SHELL ZDOTDIR BASH_FUNC_ls EDITOR PAGER LESSOPEN
LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GLIBC_TUNABLES GCONV_PATH LOCPATH HOSTALIASES TMPDIR
PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONWARNINGS PERL5OPT PERL5LIB RUBYOPT RUBYLIB NODE_OPTIONS NODE_EXTRA_CA_CERTS
JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH PHPRC PHP_INI_SCAN_DIR LUA_INIT DOTNET_STARTUP_HOOKS
GIT_SSH_COMMAND GIT_EXEC_PATH GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_ASKPASS SSH_ASKPASS GIT_DIR
SSL_CERT SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE OPENSSL_CONF OPENSSL_MODULES CURL_CA_BUNDLE REQUESTS_CA_BUNDLE
http_proxy HTTPS_PROXY ALL_PROXY NETRC PIP_INDEX_URL PIP_CONFIG_FILE UV_INDEX_URL npm_config_registry
NPM_CONFIG_USERCONFIG YARN_RC_FILENAME GEM_HOME BUNDLE_GEMFILE CARGO_HOME RUSTC_WRAPPER GOPROXY GOFLAGS MAVEN_OPTS
GRADLE_USER_HOME MAKEFLAGS
COMPOSER_HOME APT_CONFIG CC LDFLAGS KRB5_CONFIG GITHUB_ENV GITHUB_PATH ACTIONS_ID_TOKEN_REQUEST_TOKEN
MUNIMENT_VAULT_URL MUNIMENT_TOKEN MUNIMENT_RUNNER_KEY path Ld_Preload
"""


@pytest.mark.parametrize("name", _OBEYED.split())
def test_a_name_that_programs_obey_is_refused(name: str) -> None:
    assert find_obeyed_variable(name) in (name, f"{name}_FILE")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "DATABASE_URL",
            "TOKEN",
            "PASSWORD",
            "API_KEY",
            "SENTRY_DSN",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "STRIPE_KEY",
        ),
        *("GITHUB_TOKEN", "GITLAB_TOKEN", "NPM_TOKEN", "NODE_AUTH_TOKEN", "GIT_PASSWORD", "SSH_PRIVATE_KEY", "SSH_KEY"),
        *(
            "CARGO_REGISTRY_TOKEN",
            "MAVEN_PASSWORD",
            "GPG_PASSPHRASE",
            "LD_SDK_KEY",
            "GOOGLE_CREDENTIALS",
            "TWINE_PASSWORD",
        ),
        *(
            "KUBECONFIG",
            "DEPLOY_KEY",
            "SMTP_PASS",
            "JAVA_KEYSTORE_PASSWORD",
            "UV_PUBLISH_TOKEN",
            "SIGNING_CERT",
            "RADIO_KEY",
        ),
    ],
)
def test_a_name_of_a_credential_is_not_refused(name: str) -> None:
    assert find_obeyed_variable(name) is None
