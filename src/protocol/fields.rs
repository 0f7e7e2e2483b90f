//! The one table of field roles: which header, parameter, JSON member or JWT claim holds a secret, something personal, a
//! value that links messages, one that changes without meaning, or one that must stay. Names only; never looks at a value.

/// What a field holds, as far as scrubbing, matching and diffing care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whoever has it can act for somebody.
    Secret,
    /// It tells who somebody is.
    Personal,
    /// It differs from run to run and means nothing to the protocol.
    Volatile,
    /// It is chosen per run and must come back elsewhere unchanged.
    Linking,
    /// It is part of the protocol.
    Stable,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A header or trailer field.
    Header,
    /// A query, fragment or form parameter.
    Parameter,
    /// A member of a JSON object.
    Member,
    /// A claim or header parameter of a JWT.
    Claim,
}

/// In which messages a name has its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// In any message.
    Anywhere,
    /// Everywhere but in the content of MCP messages.
    Login,
    /// As `Login`, and as a JSON member only in a request (`code` is an error code in answers).
    Asking,
    /// In claims and in answers that describe a person.
    Person,
    /// In the envelope of JSON-RPC messages, not in arguments and content.
    Envelope,
    /// In metadata documents, key sets and JWT headers.
    Keys,
}

/// The role of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldRole {
    /// What it holds.
    pub role: Role,
    /// The name of its class, such as `access_token`; the same for all spellings.
    pub label: &'static str,
    /// Where the name has this role.
    pub reach: Reach,
}

/// The role of a name at a place. Case, `_` and `-` do not matter: `accessToken` is `access_token`.
///
/// Sources: RFC 6749 §4, 6750, 7009, 7521, 7523, 7591, 7592, 7636, 7662, 8628, 8693, 9101, 9126, 9207, 9449; OpenID Connect Core
/// §2, §3.1, §5.1; the MCP revisions up to 2026-07-28; the field policy in reference/sanitizing.md §1.4.
pub fn field_role(place: Place, name: &str) -> Option<FieldRole> {
    field_role_within(place, name, |_| true)
}

/// The role of a name at a place in a message to which only some reaches apply. See [`field_role`].
pub fn field_role_within(place: Place, name: &str, applies: impl Fn(Reach) -> bool) -> Option<FieldRole> {
    let mut folded = [0; LONGEST];
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *folded.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let folded = &folded[..length];
    let mut slot = spread(folded);
    while let Some(entry) = ENTRIES.get(SLOTS[slot] as usize) {
        if entry.places & bit(place) != 0 && entry.name.as_bytes() == folded && applies(entry.field.reach) {
            return Some(entry.field);
        }
        slot = (slot + 1) % SLOTS.len();
    }
    by_ending(place, folded)
}

/// Names that nobody listed but everybody understands.
fn by_ending(place: Place, folded: &[u8]) -> Option<FieldRole> {
    const ENDINGS: &[(&[u8], &str)] = &[
        (b"token", "token"),
        (b"secret", "secret"),
        (b"password", "password"),
        (b"apikey", "api_key"),
        (b"privatekey", "private_key"),
        (b"sessionid", "session"),
    ];
    let known = folded.last().is_some_and(|last| matches!(last, b'n' | b't' | b'd' | b'y'));
    let ending = ENDINGS.iter().find(|(ending, _)| known && folded.ends_with(ending));
    let forgery = || folded.windows(4).any(|part| part == b"csrf" || part == b"xsrf");
    let label = match ending {
        Some((_, label)) => label,
        None if place != Place::Claim && folded.len() >= 4 && forgery() => "csrf",
        None if place == Place::Header && folded.starts_with(b"accesscontrol") => return Some(STABLE),
        None => return None,
    };
    Some(FieldRole { role: Role::Secret, label, reach: Reach::Anywhere })
}

const STABLE: FieldRole = FieldRole { role: Role::Stable, label: "protocol", reach: Reach::Anywhere };

/// Longer names are nobody's.
const LONGEST: usize = 48;

struct Entry {
    name: &'static str,
    places: u8,
    field: FieldRole,
}

const H: u8 = bit(Place::Header);
const P: u8 = bit(Place::Parameter);
const M: u8 = bit(Place::Member);
const C: u8 = bit(Place::Claim);

const fn bit(place: Place) -> u8 {
    1 << place as u8
}

macro_rules! table {
    ($($role:ident $reach:ident $label:literal $places:expr => $($name:literal)+;)*) => {
        const ENTRIES: &[Entry] = &[$($(Entry {
            name: $name,
            places: $places,
            field: FieldRole { role: Role::$role, label: $label, reach: Reach::$reach },
        },)+)*];
    };
}

table! {
    Secret Anywhere "access_token" P | M | C => "accesstoken";
    Secret Anywhere "refresh_token" P | M | C => "refreshtoken";
    Secret Anywhere "id_token" P | M | C => "idtoken" "idtokenhint";
    Secret Anywhere "registration_access_token" P | M => "registrationaccesstoken" "initialaccesstoken";
    Secret Anywhere "client_secret" P | M => "clientsecret";
    Secret Anywhere "assertion" P | M => "clientassertion" "softwarestatement" "samlresponse" "samlrequest" "loginhinttoken" "logouttoken";
    Secret Login "assertion" P | M => "assertion";
    Secret Login "assertion" P => "request" "response";
    Secret Anywhere "token" P | M => "subjecttoken" "actortoken" "token" "authtoken" "bearer";
    Secret Anywhere "code_verifier" P | M => "codeverifier";
    Secret Anywhere "device_code" P | M => "devicecode" "authreqid";
    Secret Anywhere "user_code" P | M => "usercode" "verificationuricomplete";
    Secret Login "request_uri" P | M => "requesturi";
    Secret Asking "code" P | M => "code";
    Secret Login "code" P | M => "authorizationcode" "authcode" "sessioncode";
    Secret Anywhere "password" P | M | C => "passwd" "pwd" "passphrase";
    Secret Anywhere "api_key" P | M | H => "apikey" "xapikey" "xgoogapikey";
    Secret Login "api_key" P => "key" "sig" "signature" "auth" "xamzsignature" "xamzcredential" "xgoogsignature";
    Secret Anywhere "session" P | M | H => "mcpsessionid" "sessionid" "sessionkey";
    Secret Login "session" P | M => "session" "sessionstate" "sid";
    Secret Anywhere "cookie" H => "cookie" "setcookie";
    Secret Anywhere "access_token" H => "authorization" "proxyauthorization" "xauthtoken" "xaccesstoken" "xamzsecuritytoken";
    Secret Anywhere "access_token" P | M => "authorization";
    Secret Anywhere "dpop" H => "dpop";
    Linking Anywhere "nonce" H => "dpopnonce" "secwebsocketkey" "secwebsocketaccept";
    Secret Anywhere "signature" H => "signature" "signatureinput";

    Linking Anywhere "code_challenge" P | M => "codechallenge";
    Linking Login "state" P => "state" "relaystate";
    Linking Asking "state" M => "state";
    Linking Login "nonce" P | M | C => "nonce";
    Linking Anywhere "client_id" P | M | C => "clientid";
    Linking Anywhere "client_id" C => "azp";
    Linking Anywhere "jti" C => "jti" "sid" "athash" "chash" "shash" "ath";
    Linking Anywhere "event_id" H => "lasteventid";
    Linking Anywhere "etag" H => "etag" "ifnonematch" "ifmatch";
    Linking Anywhere "organization" H => "anthropicorganizationid" "xorganizationuuid";
    Linking Envelope "request_state" M => "requeststate" "taskid" "cursor" "nextcursor" "elicitationid";

    Personal Login "email" P | M | C => "email" "emailaddress" "loginhint" "hd" "domainhint" "contacts";
    Personal Login "username" P | M | C => "username" "login" "preferredusername" "upn" "uniquename";
    Personal Person "subject" M | C => "sub" "oid" "tid" "uuid" "accountid" "accountuuid" "userid" "organizationid" "organizationuuid"
        "workspaceid" "botuserid" "cloudid" "teamid" "botid";
    Personal Person "name" M | C => "name" "givenname" "familyname" "middlename" "nickname" "fullname" "displayname" "organizationname"
        "workspacename" "teamname" "picture" "profile" "avatarurl" "workspaceicon";
    Personal Person "contact" M | C => "phonenumber" "phone" "formatted" "streetaddress" "locality" "region" "postalcode" "birthdate"
        "gender" "zoneinfo" "ipaddr" "groups";
    Personal Anywhere "address" H => "xforwardedfor" "xrealip" "cfconnectingip" "trueclientip" "forwarded" "from";

    Volatile Anywhere "request" H => "date" "age" "expires" "lastmodified" "xrequestid" "requestid" "xcorrelationid" "cfray" "traceparent"
        "tracestate" "baggage" "sentrytrace" "nel" "reportto" "reportingendpoints" "servertiming" "xamzrequestid" "xamznrequestid"
        "xamzcfid" "xcloudtracecontext" "xruntime" "xresponsetime" "xtraceid";

    Stable Anywhere "protocol" H => "host" "useragent" "accept" "acceptencoding" "acceptlanguage" "contenttype" "contentlength"
        "contentencoding" "contentlanguage" "connection" "cachecontrol" "server" "vary" "via" "mcpprotocolversion" "mcpmethod" "mcpname"
        "transferencoding" "te" "origin" "stricttransportsecurity" "allow" "retryafter" "keepalive" "upgrade" "xcontenttypeoptions"
        "xframeoptions" "referrerpolicy" "pragma" "anthropicversion" "anthropicbeta" "altsvc" "priority" "secfetchmode" "secfetchsite"
        "secfetchdest" "xaccelbuffering" "xpoweredby" "contentdigest" "reprdigest";
    Stable Anywhere "protocol" P | M => "progresstoken" "tokentype" "nextpagetoken" "pagetoken" "continuationtoken" "synctoken"
        "integrity" "sha256" "checksum" "digest" "dpopjkt";
    Stable Login "protocol" P | M | C => "granttype" "granttypes" "responsetype" "responsetypes" "responsemode" "scope" "scopes" "prompt"
        "codechallengemethod" "redirecturi" "redirecturis" "resource" "iss" "issuer" "error" "tokenendpointauthmethod"
        "clientname" "clienturi" "softwareid" "softwareversion" "applicationtype" "clientassertiontype" "subjecttokentype"
        "actortokentype" "requestedtokentype" "issuedtokentype" "tokentypehint" "acrvalues" "typ" "alg" "cty" "scp";
    Stable Login "audience" P | M | C => "audience" "aud";
    Stable Keys "key" M | C => "kid" "kty" "crv" "n" "e" "x" "y" "x5c" "x5t" "x5t#s256" "x5u" "jkt" "jku" "use";
    Stable Envelope "protocol" M => "id" "jsonrpc" "method" "name" "title" "protocolversion" "requestid" "subscriptionid" "type" "mimetype";
}

/// An open-addressing table over [`ENTRIES`], built by the compiler; an index beyond the entries is a free slot.
static SLOTS: [u16; 1024] = slots();

const fn slots() -> [u16; 1024] {
    let mut slots = [u16::MAX; 1024];
    let mut index = 0;
    while index < ENTRIES.len() {
        let mut slot = spread(ENTRIES[index].name.as_bytes());
        while slots[slot] != u16::MAX {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = index as u16;
        index += 1;
    }
    slots
}

/// FNV-1a, folded to the size of the table.
const fn spread(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut index = 0;
    while index < name.len() {
        hash = (hash ^ name[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    ((hash ^ (hash >> 15)) % 1024) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(place: Place, name: &str) -> Option<(Role, &'static str)> {
        field_role(place, name).map(|field| (field.role, field.label))
    }

    #[test]
    fn spelling_does_not_matter() {
        for name in ["access_token", "accessToken", "Access-Token", "ACCESS_TOKEN"] {
            assert_eq!(role(Place::Member, name), Some((Role::Secret, "access_token")), "{name}");
        }
        assert_eq!(role(Place::Header, "Mcp-Session-Id"), Some((Role::Secret, "session")));
    }

    #[test]
    fn the_place_decides() {
        assert_eq!(role(Place::Parameter, "code"), Some((Role::Secret, "code")));
        assert_eq!(field_role(Place::Member, "code").map(|field| field.reach), Some(Reach::Asking));
        assert_eq!(role(Place::Header, "code"), None);
        assert_eq!(role(Place::Claim, "sub"), Some((Role::Personal, "subject")));
        assert_eq!(role(Place::Parameter, "sub"), None);
    }

    #[test]
    fn unlisted_names_go_by_their_ending() {
        assert_eq!(role(Place::Header, "X-Vendor-Token"), Some((Role::Secret, "token")));
        assert_eq!(role(Place::Member, "botApiKey"), Some((Role::Secret, "api_key")));
        assert_eq!(role(Place::Header, "X-CSRF-Value"), Some((Role::Secret, "csrf")));
        assert_eq!(role(Place::Header, "access-control-allow-origin"), Some((Role::Stable, "protocol")));
        assert_eq!(role(Place::Member, "token_endpoint"), None);
        assert_eq!(role(Place::Member, "progressToken"), Some((Role::Stable, "protocol")));
    }

    #[test]
    fn no_name_is_listed_twice_for_a_place_and_reach() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            let same = |other: &&Entry| other.name == entry.name && other.places & entry.places != 0;
            let twice = ENTRIES[..index].iter().filter(same).any(|other| other.field.reach == entry.field.reach);
            assert!(!twice, "{}", entry.name);
            assert!(!entry.name.contains(['_', '-']) && entry.name.len() <= LONGEST, "{}", entry.name);
        }
    }
}
