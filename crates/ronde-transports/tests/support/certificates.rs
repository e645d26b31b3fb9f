//! Certificates for the tests.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use ronde_streams::{TlsOptions, TlsServerOptions};

/// A certificate and its key, in PEM form.
pub(crate) struct Pem {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pem {
    pub(crate) fn server(&self) -> TlsServerOptions {
        TlsServerOptions::from_pem(&self.chain, &self.key).unwrap()
    }
}

/// An authority for certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Options of a client that trusts this authority.
    pub(crate) fn client(&self) -> TlsOptions {
        TlsOptions::new().root_certificates_pem(self.pem.clone())
    }

    pub(crate) fn certify(&self, name: &str) -> Pem {
        self.certify_for_years(name, 1975, 4000)
    }

    pub(crate) fn certify_for_years(&self, name: &str, from: i32, to: i32) -> Pem {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pem { chain, key: key.serialize_pem() }
    }
}

/// The authority that the tests trust.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("the tests' own authority"))
}

/// A certificate for localhost that nobody else vouches for.
pub(crate) fn self_signed(is_authority: bool) -> Pem {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    Pem { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// The same, as one that may issue others, with a time.
pub(crate) fn self_signed_for_years(from: i32, to: i32) -> Pem {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    let key = KeyPair::generate().unwrap();
    Pem { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}
