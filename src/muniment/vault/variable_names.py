"""Names of variables that programs obey: a secret by such a name could take over the job that gets it.

A second layer. The first: a job gets only the secrets that its pipeline file names, and none replaces a variable that
the job has. Names are compared in capitals, since some programs read small letters too (`http_proxy`, `npm_config_*`).
"""

import re

# Families, by how their names begin. Whatever begins so is refused, also what comes with a later version.
_FAMILIES = (
    # shells and the dynamic loader
    *("BASH_", "DYLD_", "LD_", "KSH_", "ZSH_", "GCONV_", "GLIBC_", "MALLOC_", "LC_"),
    # interpreters and runtimes
    *(
        "PYTHON",
        "PERL5",
        "PERL_",
        "PERLIO",
        "RUBY",
        "NODE_",
        "DENO_",
        "BUN_",
        "LUA_",
        "PHP_",
        "TCL",
        "JULIA_",
        "GUILE_",
    ),
    *("JAVA_", "_JAVA_", "JDK_", "JVM_", "DOTNET_", "CORECLR_", "COR_", "COMPLUS_", "MONO_", "ERL_", "ELIXIR_", "R_"),
    *("GHC", "OCAML", "CAML_", "AWK", "ELECTRON_", "V8_"),
    # git, ssh, curl and TLS
    *("GIT_", "GITHUB_", "SSH_", "GPG_", "GNUPG", "CURL_", "WGET", "SSL_", "SSLKEY", "OPENSSL_", "GNUTLS_", "NSS_"),
    *("REQUESTS_CA", "KRB5_"),
    # compilers, build tools and package managers
    *("PIP_", "PIPX_", "UV_", "PDM_", "POETRY_", "CONDA_", "MAMBA_", "PIPENV_", "VIRTUALENV_", "TOX_", "NOX_"),
    *("NPM_", "YARN_", "PNPM_", "COREPACK_", "NVM_", "VOLTA_", "GEM_", "BUNDLE_", "RBENV_", "PYENV_", "MIX_", "HEX_"),
    *("CARGO_", "RUST", "MAVEN_", "MVN_", "GRADLE_", "ANT_", "SBT_", "NUGET_", "MSBUILD", "COMPOSER_", "CPAN_"),
    *("MAKE", "CMAKE_", "NINJA_", "MESON_", "GCC_", "CCACHE_", "PKG_CONFIG", "HOMEBREW_", "APT_", "DPKG_", "DEB_"),
    *(
        "RPM_",
        "PYTEST_",
        "ANSIBLE_",
        "TF_CLI_",
        "HELM_",
        "TERRAGRUNT_",
        "PUPPETEER_",
        "PLAYWRIGHT_",
        "BAZELISK_",
        "SCCACHE_",
        "OMPI_MCA_",
        "PARALLEL_",
        "LDAPTLS_",
        "BUILDKITE_",
        "NIX_",
        "GOPROXY",
        "GOFLAGS",
        "GOENV",
        "GOROOT",
        "GOPATH",
        "GOSUMDB",
        "GONOSUM",
        "GONOPROXY",
        "GOPRIVATE",
    ),
    *("GOINSECURE", "GOTOOL", "GOVCS", "GOAUTH", "GOCACHE", "GOMOD", "GOBIN", "GOWORK", "GOEXPERIMENT", "GODEBUG"),
    # the runner, the systems around it, and Muniment itself
    *("ACTIONS_", "RUNNER_", "INPUT_", "SYSTEMD_", "SUDO_", "DBUS_", "XDG_", "MUNIMENT_"),
)
_NAMES = frozenset(
    (
        # shells
        *(
            "PATH",
            "ENV",
            "SHELL",
            "SHELLOPTS",
            "BASHOPTS",
            "BASH",
            "IFS",
            "CDPATH",
            "FPATH",
            "MANPATH",
            "ZDOTDIR",
            "HOME",
        ),
        *(
            "PS0",
            "PS1",
            "PS2",
            "PS3",
            "PS4",
            "PROMPT_COMMAND",
            "GLOBIGNORE",
            "GLOBSORT",
            "EXECIGNORE",
            "FIGNORE",
            "FCEDIT",
        ),
        *("HISTFILE", "HISTCONTROL", "HISTTIMEFORMAT", "INPUTRC", "TIMEFORMAT", "POSIXLY_CORRECT", "PWD", "OLDPWD"),
        *(
            "USER",
            "LOGNAME",
            "UID",
            "EUID",
            "PPID",
            "OPTIND",
            "OPTARG",
            "TMPDIR",
            "TMP",
            "TEMP",
            "TMOUT",
            "MODULE_PATH",
        ),
        *(
            "NULLCMD",
            "READNULLCMD",
            "STARSHIP_CONFIG",
            "PATHEXT",
            "COMSPEC",
            "CHILD_MAX",
            "COLUMNS",
            "LINES",
            "MAILPATH",
        ),
        # the loader, the C library and terminals
        *(
            "NLSPATH",
            "LOCPATH",
            "LANG",
            "LANGUAGE",
            "CHARSET",
            "TZ",
            "TZDIR",
            "HOSTALIASES",
            "LOCALDOMAIN",
            "RES_OPTIONS",
        ),
        *(
            "RESOLV_HOST_CONF",
            "GETCONF_DIR",
            "LIBPATH",
            "SHLIB_PATH",
            "LIBRARY_PATH",
            "TERM",
            "TERMINFO",
            "TERMINFO_DIRS",
        ),
        *("TERMCAP", "TERMPATH", "MEMUSAGE_PROG_NAME", "PCPROFILE_OUTPUT", "SEGFAULT_SIGNALS", "FAKECHROOT_BASE"),
        # programs that others start, by name
        *("EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESS", "LESSOPEN", "LESSCLOSE", "LESSKEY", "LESSKEYIN"),
        *(
            "MORE",
            "TAR_OPTIONS",
            "GZIP",
            "BZIP",
            "BZIP2",
            "XZ_OPT",
            "XZ_DEFAULTS",
            "ZIPOPT",
            "UNZIP",
            "RSYNC_RSH",
            "CVS_RSH",
        ),
        *(
            "RSYNC_CONNECT_PROG",
            "GREP_OPTIONS",
            "GREP_COLORS",
            "FIND_BLOCK_SIZE",
            "DIFF_OPTIONS",
            "SVN_SSH",
            "HGRCPATH",
        ),
        *(
            "HGEDITOR",
            "HGMERGE",
            "VIMINIT",
            "EXINIT",
            "GVIMINIT",
            "MYVIMRC",
            "SCREENRC",
            "TMUX",
            "DISPLAY",
            "XAUTHORITY",
        ),
        # interpreters
        *("PERLLIB", "PERLDB_OPTS", "PHPRC", "CLASSPATH", "JYTHONPATH", "IRBRC", "LUA_INIT", "LUA_PATH", "LUA_CPATH"),
        *(
            "R_PROFILE",
            "R_ENVIRON",
            "RPROFILE",
            "EXPECT_PROMPT",
            "GROOVY_OPTS",
            "JRUBY_OPTS",
            "SCALA_HOME",
            "KOTLIN_HOME",
        ),
        *("EMACSLOADPATH", "PSMODULEPATH", "GTK_MODULES", "GIO_EXTRA_MODULES", "QT_PLUGIN_PATH"),
        *("IPYTHONDIR", "JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "TS_NODE_PROJECT", "DJANGO_SETTINGS_MODULE", "FLASK_APP"),
        # git, network, proxies and TLS
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY", "RSYNC_PROXY", "SOCKS_PROXY", "NETRC"),
        *("AWS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "WEBSOCKET_CLIENT_CA_BUNDLE", "PERL_LWP_SSL_CA_FILE", "CA_BUNDLE"),
        *("RANDFILE", "OPENSSLDIR", "KRB5CCNAME", "CURLOPT_CAINFO", "GCM_INTERACTIVE"),
        # compilers, build tools and package managers
        *(
            "CC",
            "CXX",
            "CPP",
            "LD",
            "AR",
            "AS",
            "NM",
            "RANLIB",
            "STRIP",
            "FC",
            "CFLAGS",
            "CXXFLAGS",
            "CPPFLAGS",
            "LDFLAGS",
        ),
        *(
            "CPATH",
            "C_INCLUDE_PATH",
            "CPLUS_INCLUDE_PATH",
            "OBJC_INCLUDE_PATH",
            "COMPILER_PATH",
            "DISTCC_HOSTS",
            "ACLOCAL_PATH",
        ),
        *(
            "M2_HOME",
            "M2",
            "PREFIX",
            "DESTDIR",
            "NODE",
            "BABEL_ENV",
            "VIRTUAL_ENV",
            "TWINE_REPOSITORY_URL",
            "BUNDLER_VERSION",
        ),
        *("CGO_ENABLED", "CGO_CFLAGS", "CGO_LDFLAGS", "DEBIAN_FRONTEND", "DEBCONF_DB_OVERRIDE", "DEBUGINFOD_URLS"),
        # clients of clouds, databases and backups: files whose content they execute, programs that they start, and
        # addresses to which they send what they know. What jobs have as a secret (KUBECONFIG, PGHOST) is not here.
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AZURE_CONFIG_DIR"),
        *(
            "KUBE_EDITOR",
            "KUBECTL_EXTERNAL_DIFF",
            "PGSERVICEFILE",
            "PGSYSCONFDIR",
            "PSQLRC",
            "PSQL_EDITOR",
            "PSQL_PAGER",
        ),
        *("PSQL_PAGER", "MYSQL_HOME", "LIBMYSQL_PLUGINS", "LIBMYSQL_PLUGIN_DIR"),
        *("BORG_PASSCOMMAND", "BORG_RSH", "BORG_REMOTE_PATH"),
        *("RESTIC_PASSWORD_COMMAND", "RCLONE_PASSWORD_COMMAND", "RCLONE_CONFIG", "TF_DATA_DIR", "TF_PLUGIN_CACHE_DIR"),
        *("BOTO_CONFIG", "SASL_PATH", "LDAPCONF", "LDAPRC", "ODBCINI", "ODBCINSTINI", "ODBCSYSINI", "K9S_EDITOR"),
        *("KUSTOMIZE_PLUGIN_HOME", "PULUMI_HOME", "SKAFFOLD_CONFIG", "CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"),
        # tests, servers and sanitizers: modules that they import, and files that they write
        *(
            "COVERAGE_PROCESS_START",
            "COVERAGE_RCFILE",
            "MYPYPATH",
            "PRE_COMMIT_HOME",
            "GCOV_PREFIX",
            "LLVM_PROFILE_FILE",
        ),
        *("GUNICORN_CMD_ARGS", "CELERY_CONFIG_MODULE", "UVICORN_APP", "LIBVA_DRIVERS_PATH", "CYPRESS_RUN_BINARY"),
        *("ASAN_OPTIONS", "LSAN_OPTIONS", "MSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "ASDF_DIR", "ASDF_DATA_DIR"),
        # programs that run commands of a file or an address that a variable names
        *("RIPGREP_CONFIG_PATH", "BAT_CONFIG_PATH", "FZF_DEFAULT_COMMAND", "DIRENV_CONFIG", "BC_ENV_ARGS", "PARALLEL"),
        *("LIBVIRT_DEFAULT_URI", "PACKER_CONFIG", "VAGRANT_HOME", "CHEF_HOME", "SALT_CONFIG_DIR", "REDISCLI_RCFILE"),
        *("TG_TF_PATH", "BATS_LIB_PATH", "MAGICK_CONFIGURE_PATH", "GS_LIB", "TEXINPUTS", "TEXMFHOME", "VIM"),
        *("VIMRUNTIME", "NVIM_APPNAME", "PASSWORD_STORE_DIR", "PASSWORD_STORE_EXTENSIONS_DIR"),
        *("PASSWORD_STORE_ENABLE_EXTENSIONS", "COMPOSER", "CABAL_DIR", "STACK_ROOT", "OPAMROOT", "SDKMAN_DIR"),
        *("GUIX_PROFILE", "USE_BAZEL_VERSION", "BAZEL_REAL", "CHROME_BIN", "CHROMIUM_FLAGS", "CYPRESS_INSTALL_BINARY"),
        *("ESBUILD_BINARY_PATH", "SASS_BINARY_PATH", "SENTRYCLI_CDNURL", "WATCHMAN_SOCK", "CATALINA_OPTS"),
        *("SPRING_APPLICATION_JSON", "SPRING_CONFIG_LOCATION", "SPRING_CONFIG_ADDITIONAL_LOCATION"),
        *("SPRING_CONFIG_IMPORT", "LOGGING_CONFIG", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"),
        # libraries that load others
        *("PKCS11_MODULE_PATH", "GSS_MECH_CONFIG", "GTK_PATH", "GDK_PIXBUF_MODULE_FILE", "GST_PLUGIN_PATH"),
        *("LIBGL_DRIVERS_PATH", "VK_ICD_FILENAMES", "OCL_ICD_VENDORS", "ORACLE_HOME", "TNS_ADMIN"),
        # where clients send the job's own credentials
        *("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "CONSUL_HTTP_ADDR", "NOMAD_ADDR"),
        # where a pipeline's systems read what to do next
        *("DOCKER_CONTEXT", "DOCKER_CERT_PATH", "CONTAINER_HOST", "BUILDKIT_HOST"),
        *("GNUMAKEFLAGS", "CONDARC", "M4PATH", "AUTOCONF", "PUB_HOSTED_URL", "HG"),
        *("CI", "BASH_FUNC", "DOCKER_HOST", "DOCKER_CONFIG", "VAULT_ADDR", "VAULT_CACERT", "BAO_ADDR", "BAO_CACERT"),
    )
)
# What such a name is for: credentials that these programs take. They say who somebody is, not what to run or trust.
_CREDENTIAL = re.compile(r"_(TOKEN|PASSWORD|PASS|PASSPHRASE|SECRET|KEY)(_FILE)?$")
# Families whose members are obeyed however they end.
_ALWAYS = ("BASH_", "DYLD_", "GIT_CONFIG", "ACTIONS_", "MUNIMENT_", "AWS_ENDPOINT_URL_", "CLOUDSDK_")


def find_obeyed_variable(name: str) -> str | None:
    """Find the variable by which a secret of this name could take over a job: its name, or that of its file; None if
    none.
    """
    return next((variable for variable in (name, file_variable_name(name)) if is_obeyed(variable)), None)


def file_variable_name(name: str) -> str:
    """Name of the variable that holds the path of a secret's file."""
    return f"{name}_FILE"


def is_obeyed(variable: str) -> bool:
    """Whether shells, loaders, interpreters, git, TLS libraries, package managers or runners obey this variable."""
    capitals = variable.upper()
    if capitals in _NAMES or capitals.startswith(_ALWAYS):
        return True
    return capitals.startswith(_FAMILIES) and _CREDENTIAL.search(capitals) is None
