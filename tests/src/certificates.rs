//! Certificates made on the spot, those of one control plane above all: an authority, the API server's certificate, and a
//! client certificate for whoever the test wants to be. The API server takes the user from the common name and the groups
//! from the organisation (Kubernetes documentation, "X509 client certificates").

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};

use crate::scratch::write;

/// A certificate authority and where its files lie.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// Paths of a PEM certificate and its PKCS #8 key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one; its files go to `folder`.
    pub fn make(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "interlock tests");
        let key = KeyPair::generate()?;
        write(folder, "ca.crt", params.self_signed(&key)?.pem())?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Path of the authority's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A server's certificate for `names` (DNS names or addresses).
    pub fn server(&self, file: &str, names: &[&str]) -> Result<Identity> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, &params)
    }

    /// A client's certificate for `user`, in `group` beside `system:authenticated`.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(file, &params)
    }

    /// A certificate for `email` that signs code, as models and their like are signed.
    pub fn signer(&self, file: &str, email: &str) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into()?)];
        self.sign(file, &params)
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("could not sign {file}"))?;
        Ok(Identity {
            certificate: write(&self.folder, &format!("{file}.crt"), certificate.pem())?,
            key: write(&self.folder, &format!("{file}.key"), key.serialize_pem())?,
        })
    }
}

/// Paths of the PEM files of a key pair that signs service account tokens.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The private key, PKCS #8.
    pub private: PathBuf,
    /// The public key.
    pub public: PathBuf,
}

/// Makes a key pair and writes it to `folder/<file>.key` and `folder/<file>.pub`.
pub fn signing_key(file: &str, folder: &Path) -> Result<SigningKey> {
    let key = KeyPair::generate()?;
    Ok(SigningKey {
        private: write(folder, &format!("{file}.key"), key.serialize_pem())?,
        public: write(folder, &format!("{file}.pub"), key.public_key_pem())?,
    })
}
