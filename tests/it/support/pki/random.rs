//! Certificates of every shape that the rules tell apart, good ones more often than bad ones, from a seed.

use l5d_rotate::pki::{Bundle, Certificate, IssuerChain};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose as Usage, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData as _, SanType, date_time_ymd,
};

/// SplitMix64: small, and the same on every machine.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }

    /// The first of these most of the time, else any.
    pub fn mostly<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        if self.roll(12) > 0 { &from[0] } else { self.pick(from) }
    }
}

/// Keys that certificates share, so that names and keys meet in every combination.
pub struct Keys(Vec<KeyPair>);

impl Keys {
    pub fn new() -> Self {
        let p256 = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut keys: Vec<_> = std::iter::repeat_with(p256).take(4).collect();
        keys.push(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());
        keys.push(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap());
        keys.push(KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap());
        keys.push(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
        Self(keys)
    }

    pub fn get(&self, place: usize) -> &KeyPair {
        &self.0[place]
    }

    fn place(&self, dice: &mut Dice) -> usize {
        if dice.roll(10) > 0 { dice.roll(4) } else { dice.roll(self.0.len()) }
    }
}

/// A question to both rule sets, with the place of the issuer's key.
pub struct Case {
    pub anchors: Bundle,
    pub chain: IssuerChain,
    pub issuer_key: usize,
    pub description: String,
}

struct Made {
    certificate: Certificate,
    params: CertificateParams,
    key: usize,
}

const NAMES: [&str; 3] = ["root", "other root", "identity"];

/// A small set of authorities that sign each other, and a question about them.
pub fn case(keys: &Keys, seed: u64) -> Case {
    let dice = &mut Dice(seed);
    let mut made: Vec<Made> = Vec::new();
    let roots = 1 + dice.roll(3);
    for place in 0..roots + 1 + dice.roll(3) {
        let signer = (place >= roots).then(|| dice.roll(place));
        let key = keys.place(dice);
        let name = if dice.roll(4) == 0 { *dice.pick(&NAMES) } else { NAMES[place % 2] };
        made.push(certificate(keys, dice, name, key, signer.map(|signer| &made[signer])));
    }
    let signer = if dice.roll(15) == 0 { None } else { Some(made.len() - 1 - dice.roll(made.len().min(3))) };
    let (key, name) = (keys.place(dice), *dice.mostly(&["identity", "root"]));
    let issuer = certificate(keys, dice, name, key, signer.map(|signer| &made[signer]));
    let mut anchors: Vec<_> =
        made[..roots].iter().filter(|_| dice.roll(4) > 0).map(|made| made.certificate.clone()).collect();
    if dice.roll(20) == 0 {
        anchors.push(issuer.certificate.clone());
    }
    if dice.roll(20) == 0 {
        anchors.push(made[made.len() - 1].certificate.clone());
    }
    let anchors = Bundle::new(anchors).unwrap_or_else(|| Bundle::new([made[0].certificate.clone()]).unwrap());
    let mut intermediates: Vec<_> =
        made[roots..].iter().filter(|_| dice.roll(6) > 0).map(|made| made.certificate.clone()).collect();
    if dice.roll(10) == 0 {
        intermediates.push(made[0].certificate.clone());
    }
    let params: Vec<_> = made.iter().map(|made| &made.params).chain([&issuer.params]).collect();
    let description = format!("seed {seed}: {params:#?}\n{anchors:?}\n{intermediates:?}");
    let chain = IssuerChain { issuer: issuer.certificate, intermediates };
    Case { anchors, chain, issuer_key: issuer.key, description }
}

fn certificate(keys: &Keys, dice: &mut Dice, name: &str, key: usize, signer: Option<&Made>) -> Made {
    let params = params(dice, name, keys.get(key));
    let signed = match signer {
        None => params.self_signed(keys.get(key)),
        Some(signer) => {
            // Now and then another key signs in the signer's name.
            let signing = if dice.roll(15) == 0 { dice.roll(4) } else { signer.key };
            params.signed_by(keys.get(key), &Issuer::from_params(&signer.params, keys.get(signing)))
        }
    };
    let certificate = Certificate::from_der(signed.unwrap().der()).unwrap();
    Made { certificate, params, key }
}

fn params(dice: &mut Dice, name: &str, key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = *dice.mostly(&[
        (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1)),
        (date_time_ymd(2025, 1, 1), date_time_ymd(2026, 1, 1)),
        (date_time_ymd(2027, 1, 1), date_time_ymd(2060, 1, 1)),
    ]);
    let ca = |length| IsCa::Ca(BasicConstraints::Constrained(length));
    params.is_ca = *dice.mostly(&[
        IsCa::Ca(BasicConstraints::Unconstrained),
        ca(0),
        ca(1),
        ca(2),
        ca(0),
        IsCa::NoCa,
        IsCa::ExplicitNoCa,
    ]);
    if dice.roll(3) == 0 {
        params.is_ca = *dice.pick(&[ca(0), ca(1), ca(2)]);
    }
    params.key_usages = dice
        .mostly(&[
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
            vec![],
            vec![KeyUsagePurpose::DigitalSignature],
            vec![KeyUsagePurpose::DecipherOnly],
        ])
        .clone();
    params.extended_key_usages = dice
        .mostly(&[
            vec![],
            vec![Usage::ServerAuth],
            vec![Usage::ClientAuth],
            vec![Usage::ServerAuth, Usage::ClientAuth],
            vec![Usage::Any],
            vec![Usage::CodeSigning, Usage::Other(vec![1, 2, 3, 4])],
        ])
        .clone();
    params.subject_alt_names = names(dice);
    params.name_constraints = constraints(dice);
    let id = |bytes: &[u8]| KeyIdMethod::PreSpecified(bytes.to_vec());
    let right = key.der_bytes()[..8].to_vec();
    params.key_identifier_method = dice.mostly(&[id(&right), id(b"wrong id"), id(b"")]).clone();
    params.use_authority_key_identifier_extension = *dice.mostly(&[true, false]);
    if dice.roll(40) == 0 {
        let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4, 5], vec![5, 0]);
        unknown.set_criticality(dice.roll(2) == 0);
        params.custom_extensions.push(unknown);
    }
    params
}

fn names(dice: &mut Dice) -> Vec<SanType> {
    let dns = |name: &str| SanType::DnsName(Ia5String::try_from(name).unwrap());
    let all = [
        vec![],
        vec![dns("identity.linkerd.cluster.local")],
        vec![dns("*.linkerd.cluster.local"), dns("example.com")],
        vec![SanType::URI(Ia5String::try_from("spiffe://cluster.local/ns/linkerd").unwrap())],
        vec![SanType::IpAddress([10, 0, 0, 1].into())],
        vec![SanType::Rfc822Name(Ia5String::try_from("ops@example.com").unwrap())],
    ];
    if dice.roll(4) == 0 { dice.pick(&all).clone() } else { vec![] }
}

fn constraints(dice: &mut Dice) -> Option<NameConstraints> {
    if dice.roll(5) > 0 {
        return None;
    }
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let mut directory = DistinguishedName::new();
    directory.push(DnType::OrganizationName, "Example");
    let all = [
        dns("cluster.local"),
        dns("cluster.local"),
        dns(".cluster.local"),
        dns("CLUSTER.local"),
        dns("example.com"),
        dns("identity.linkerd.cluster.local"),
        dns("uster.local"),
        dns(""),
        GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([10, 0, 0, 0], 8)),
        GeneralSubtree::Rfc822Name("example.com".to_owned()),
        GeneralSubtree::DirectoryName(directory),
    ];
    let mut some =
        |most: usize| (0..dice.roll(most + 1)).map(|_| dice.pick(&all).clone()).collect::<Vec<_>>();
    Some(NameConstraints { permitted_subtrees: some(3), excluded_subtrees: some(1) })
}
