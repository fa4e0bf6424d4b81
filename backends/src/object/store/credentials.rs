//! Who asks: from references to secrets, on this host and nowhere else.
//!
//! Nothing here can be printed with a secret in it, and no message quotes what was read.

use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Credentials, Reference, Scheme};
use std::fmt;
use std::path::{Path, PathBuf};

/// The environment variables of a process, or those of a test.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    /// The value, to be handed to the signer and to nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Credentials with all references resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Resolved {
    /// Requests are not signed.
    Anonymous,
    /// S3: access key, secret key, token. Azure: account, account key.
    Keys {
        /// The key's name.
        name: String,
        /// The key.
        secret: Secret,
        /// The token of temporary credentials.
        token: Option<Secret>,
    },
    /// Azure: a shared access signature. Google: a bearer token.
    Token(Secret),
    /// Google: a service account's key file.
    ServiceAccount(PathBuf),
    /// The provider's own service gives temporary ones: settings of `object_store`, by their names.
    Service(Vec<(&'static str, Secret)>),
}

/// What was found, and what a person should know about it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) credentials: Resolved,
    pub(super) warning: Option<String>,
}

impl From<Resolved> for Found {
    fn from(credentials: Resolved) -> Self {
        Self { credentials, warning: None }
    }
}

/// Resolves the credentials for a provider.
pub(super) fn resolve(
    scheme: Scheme,
    credentials: &Credentials,
    env: Environment<'_>,
) -> Result<Found, Failure> {
    match (credentials, scheme) {
        (Credentials::Anonymous, _) => Ok(Resolved::Anonymous.into()),
        (Credentials::Environment, Scheme::S3) => environment_s3(env),
        (Credentials::Environment, Scheme::Az) => Ok(environment_azure(env)),
        (Credentials::Environment, _) => Ok(environment_google(env)),
        (Credentials::Profile(name), Scheme::S3) => profile(name, env).map(Found::from),
        (Credentials::Keys { access_key, secret_key, session_token }, Scheme::S3 | Scheme::Az) => {
            Ok(Resolved::Keys {
                name: read(access_key, env)?.0,
                secret: read(secret_key, env)?,
                token: session_token.as_ref().map(|token| read(token, env)).transpose()?,
            }
            .into())
        }
        (Credentials::Token(token), Scheme::Az | Scheme::Gs) => Ok(Resolved::Token(read(token, env)?).into()),
        (Credentials::ServiceAccount(path), Scheme::Gs) => match std::fs::File::open(path) {
            Ok(_) => Ok(Resolved::ServiceAccount(path.clone()).into()),
            Err(error) => Err(failure(
                format!("`storage.credentials`: cannot read `{}`: {error}", path.display()),
                "give the path of the service account's key file on this host",
            )),
        },
        (Credentials::Keys { .. }, _) => Err(failure(
            "`storage.credentials`: Google Cloud Storage does not take a key pair",
            "give a service account or a token; with HMAC keys use `s3://storage.googleapis.com:443/bucket`",
        )),
        (Credentials::Profile(_) | Credentials::Token(_) | Credentials::ServiceAccount(_), _) => {
            Err(failure(
                format!("`storage.credentials`: this kind is not for `{}://`", scheme.name()),
                "see the table of credentials in docs/STORAGE.md",
            ))
        }
    }
}

/// What a reference stands for.
fn read(reference: &Reference, env: Environment<'_>) -> Result<Secret, Failure> {
    let value = match reference {
        Reference::Env(name) => env(name).ok_or_else(|| "this environment variable is not set".to_owned()),
        Reference::File(path) => std::fs::read_to_string(path).map_err(|error| error.to_string()),
    };
    let value = value.map(|value| value.trim().to_owned()).and_then(|value| match &*value {
        "" => Err("it is empty".to_owned()),
        _ => Ok(Secret(value)),
    });
    value.map_err(|why| {
        let next = "set it on this host, for the user that runs the agent";
        failure(format!("`storage.credentials`: cannot resolve `{reference}`: {why}"), next)
    })
}

fn environment_s3(env: Environment<'_>) -> Result<Found, Failure> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let (Some(name), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        let token = set("AWS_SESSION_TOKEN").map(Secret);
        return Ok(Resolved::Keys { name, secret: Secret(secret), token }.into());
    }
    if let Some(name) = set("AWS_PROFILE") {
        return profile(&name, env).map(Found::from);
    }
    if let Ok(found) = profile("default", env) {
        return Ok(found.into());
    }
    let services: [&[&'static str]; 4] = [
        &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
        &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
        &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
        &["AWS_METADATA_ENDPOINT"],
    ];
    Ok(service(&services, &set).unwrap_or_else(|| {
        nothing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or for an instance's own role AWS_METADATA_ENDPOINT")
    }))
}

fn environment_azure(env: Environment<'_>) -> Found {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let key = set("AZURE_STORAGE_ACCOUNT_KEY").or_else(|| set("AZURE_STORAGE_KEY"));
    let account = account(env);
    if let (Some(name), Some(secret)) = (account, key) {
        return Resolved::Keys { name, secret: Secret(secret), token: None }.into();
    }
    if let Some(token) = set("AZURE_STORAGE_SAS_TOKEN") {
        return Resolved::Token(Secret(token)).into();
    }
    let services: [&[&'static str]; 2] = [
        &["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"],
        &["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"],
    ];
    service(&services, &set)
        .unwrap_or_else(|| nothing("AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN"))
}

/// The account that Azure's own tools take from the environment.
pub(super) fn account(env: Environment<'_>) -> Option<String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    set("AZURE_STORAGE_ACCOUNT").or_else(|| set("AZURE_STORAGE_ACCOUNT_NAME"))
}

fn environment_google(env: Environment<'_>) -> Found {
    let named = ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"];
    let file = named.iter().find_map(|name| env(name)).map(PathBuf::from).or_else(|| {
        let usual = Path::new(&env("HOME")?).join(".config/gcloud/application_default_credentials.json");
        usual.exists().then_some(usual)
    });
    match file {
        Some(path) => {
            let path = path.to_string_lossy().into_owned();
            Resolved::Service(vec![("GOOGLE_APPLICATION_CREDENTIALS", Secret(path))]).into()
        }
        None => nothing("GOOGLE_APPLICATION_CREDENTIALS"),
    }
}

/// The first of these services that all is set for.
fn service(services: &[&[&'static str]], set: &dyn Fn(&str) -> Option<String>) -> Option<Found> {
    let complete = |names: &&[&'static str]| -> Option<Found> {
        let settings: Option<Vec<_>> = names.iter().map(|&name| Some((name, Secret(set(name)?)))).collect();
        settings.map(|settings| Resolved::Service(settings).into())
    };
    services.iter().find_map(complete)
}

fn nothing(what: &str) -> Found {
    let warning = format!(
        "no credentials in the environment: requests are not signed; set {what} on this host, or say `anonymous` to \
         be asked no more"
    );
    Found { credentials: Resolved::Anonymous, warning: Some(warning) }
}

/// A profile of the AWS credentials file.
fn profile(name: &str, env: Environment<'_>) -> Result<Resolved, Failure> {
    let path = env("AWS_SHARED_CREDENTIALS_FILE")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&env("HOME")?).join(".aws/credentials")))
        .ok_or_else(|| failure("there is no home directory for `.aws/credentials`", "set HOME"))?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let next = "create it with `aws configure`, or choose other credentials";
        failure(format!("cannot read the profiles in `{}`: {error}", path.display()), next)
    })?;
    let section = section(&text, name);
    let value = |key: &str| section.iter().find(|(name, _)| *name == key).map(|&(_, value)| value.to_owned());
    match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(name), Some(secret)) => {
            Ok(Resolved::Keys { name, secret: Secret(secret), token: value("aws_session_token").map(Secret) })
        }
        _ => Err(failure(
            format!("profile `{name}` in `{}` has no key pair", path.display()),
            "add aws_access_key_id and aws_secret_access_key to it, or name another profile",
        )),
    }
}

/// The settings of one section of an INI file.
fn section<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let title = |line: &'a str| Some(line.trim().strip_prefix('[')?.strip_suffix(']')?.trim());
    text.lines()
        .skip_while(|line| title(line) != Some(name))
        .skip(1)
        .take_while(|line| title(line).is_none())
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect()
}

fn failure(message: impl Into<String>, next: &str) -> Failure {
    Failure::new(FailureClass::Config, message.into(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn keys(name: &str, secret: &str) -> Resolved {
        Resolved::Keys { name: name.to_owned(), secret: Secret(secret.to_owned()), token: None }
    }

    #[test]
    fn references_are_resolved_and_their_values_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, format!("  {SECRET}\n")).unwrap();
        let credentials = Credentials::Keys {
            access_key: Reference::Env("KEY".to_owned()),
            secret_key: Reference::File(file),
            session_token: None,
        };
        let found = resolve(Scheme::S3, &credentials, &env(&[("KEY", "id")])).unwrap();
        assert_eq!(found.credentials, keys("id", SECRET));
        assert!(!format!("{found:?}").contains(SECRET));
        let missing = resolve(Scheme::S3, &credentials, &env(&[])).unwrap_err();
        assert!(missing.message.contains("`env:KEY`: this environment variable is not set"), "{missing:?}");
    }

    #[test]
    fn the_environment_is_asked_as_the_providers_tools_ask_it() {
        let found = |scheme, pairs: &[(&str, &str)]| {
            resolve(scheme, &Credentials::Environment, &env(pairs)).unwrap().credentials
        };
        let aws = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
        assert_eq!(found(Scheme::S3, &aws), keys("id", SECRET));
        let azure = [("AZURE_STORAGE_ACCOUNT", "me"), ("AZURE_STORAGE_KEY", SECRET)];
        assert_eq!(found(Scheme::Az, &azure), keys("me", SECRET));
        let metadata = found(Scheme::S3, &[("AWS_METADATA_ENDPOINT", "http://169.254.169.254")]);
        assert!(matches!(metadata, Resolved::Service(settings) if settings[0].0 == "AWS_METADATA_ENDPOINT"));
        let google = found(Scheme::Gs, &[("GOOGLE_APPLICATION_CREDENTIALS", "/x.json")]);
        assert!(matches!(google, Resolved::Service(_)));
    }

    #[test]
    fn nothing_in_the_environment_is_anonymous_and_a_warning() {
        for scheme in [Scheme::S3, Scheme::Az, Scheme::Gs] {
            let found = resolve(scheme, &Credentials::Environment, &env(&[])).unwrap();
            assert_eq!(found.credentials, Resolved::Anonymous);
            assert!(found.warning.unwrap().contains("requests are not signed; set "));
        }
        let asked_for = resolve(Scheme::S3, &Credentials::Anonymous, &env(&[])).unwrap();
        assert_eq!(asked_for.warning, None);
    }

    #[test]
    fn a_profile_is_one_section_of_the_credentials_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("credentials");
        let text = "[default]\naws_access_key_id = d\naws_secret_access_key=ds\n\n[ other ]\naws_secret_access_key = os\n\
                    aws_access_key_id=o\n[half]\naws_access_key_id=h\n";
        std::fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        let pairs = [("AWS_SHARED_CREDENTIALS_FILE", path)];
        let found = |name: &str| resolve(Scheme::S3, &Credentials::Profile(name.to_owned()), &env(&pairs));
        assert_eq!(found("default").unwrap().credentials, keys("d", "ds"));
        assert_eq!(found("other").unwrap().credentials, keys("o", "os"));
        assert!(found("half").unwrap_err().message.contains("has no key pair"));
        let pairs = [("AWS_SHARED_CREDENTIALS_FILE", path), ("AWS_PROFILE", "other")];
        let chosen = resolve(Scheme::S3, &Credentials::Environment, &env(&pairs)).unwrap();
        assert_eq!(chosen.credentials, keys("o", "os"));
    }

    #[test]
    fn what_a_provider_does_not_know_is_refused() {
        let token = Credentials::Token(Reference::Env("T".to_owned()));
        assert!(resolve(Scheme::S3, &token, &env(&[("T", "x")])).is_err());
        assert!(resolve(Scheme::Az, &Credentials::Profile("x".to_owned()), &env(&[])).is_err());
    }
}
