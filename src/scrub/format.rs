//! Token formats by their documented prefix, and JWTs. The patterns were written from the providers' documentation; each
//! entry is a prefix and the shortest rest. Deliberately generous: a false match costs a readable word, a miss a secret.

/// A documented format.
pub(super) struct Format {
    prefix: &'static str,
    /// The least number of characters behind the prefix.
    least: usize,
    /// The label of its symbols.
    pub(super) label: &'static str,
}

macro_rules! formats {
    ($($label:literal $least:literal => $($prefix:literal)+;)*) => {
        /// Sorted by prefix within a first letter; the groups of [`GROUPS`] rely on the first letters being together.
        const FORMATS: &[Format] = &[$($(Format { prefix: $prefix, least: $least, label: $label },)+)*];
    };
}

// One line a first letter and owner. Sources: docs.anthropic.com, docs.slack.dev (token types), docs.github.com (token formats),
// docs.gitlab.com (token prefixes), developers.notion.com, support.atlassian.com, cloud.google.com, docs.aws.amazon.com (unique
// identifiers), platform.openai.com, docs.stripe.com, docs.sentry.io, supabase.com, developers.figma.com, docs.databricks.com,
// docs.doppler.com, docs.digitalocean.com, developer.hashicorp.com, shopify.dev, developers.hubspot.com, docs.sendgrid.com.
formats! {
    "google" 20 => "1//0";
    "google" 30 => "4/0";
    "atlassian" 24 => "ATATT3" "ATCTT3" "ATSTT3" "ATBB" "ATOA";
    "google" 30 => "AIza";
    "aws" 16 => "AKIA" "ASIA";
    "age" 40 => "AGE-SECRET-KEY-1";
    "google" 20 => "GOCSPX-";
    "sendgrid" 40 => "SG.";
    "databricks" 32 => "dapi";
    "docker" 16 => "dckr_pat_" "dckr_oat_";
    "digitalocean" 32 => "dop_v1_" "doo_v1_" "dor_v1_";
    "doppler" 20 => "dp.pt." "dp.st." "dp.ct." "dp.sa." "dp.scim.";
    "figma" 16 => "figd_" "figu_";
    "github" 30 => "ghp_" "gho_" "ghu_" "ghs_" "ghr_";
    "github" 20 => "github_pat_";
    "gitlab" 15 => "glpat-" "gloas-" "gldt-" "glrt-" "glcbt-" "glsoat-" "glft-" "glimt-" "glagent-" "glptt-" "glffct-";
    "grafana" 20 => "glsa_" "glc_";
    "groq" 20 => "gsk_";
    "huggingface" 20 => "hf_";
    "vault" 20 => "hvs." "hvb." "hvr.";
    "linear" 20 => "lin_api_" "lin_oauth_";
    "notion" 20 => "ntn_";
    "npm" 30 => "npm_";
    "1password" 40 => "ops_eyJ";
    "perplexity" 20 => "pplx-";
    "pypi" 20 => "pypi-AgEI";
    "hubspot" 20 => "pat-na1-" "pat-eu1-" "pat-ap1-";
    "stripe" 16 => "rk_live_" "rk_test_";
    "anthropic" 20 => "sk-ant-";
    "openai" 20 => "sk-proj-" "sk-svcacct-" "sk-admin-";
    "api_key" 32 => "sk-";
    "stripe" 16 => "sk_live_" "sk_test_";
    "notion" 40 => "secret_";
    "supabase" 16 => "sbp_" "sb_secret_";
    "sentry" 20 => "sntrys_" "sntryu_" "sntrya_";
    "shopify" 32 => "shpat_" "shpca_" "shppa_" "shpss_";
    "request_uri" 1 => "urn:ietf:params:oauth:request_uri:";
    "paseto" 20 => "v2.local." "v2.public." "v4.local." "v4.public.";
    "stripe" 16 => "whsec_";
    "slack" 10 => "xoxb-" "xoxp-" "xoxa-" "xoxr-" "xoxs-" "xoxe-" "xoxo-" "xoxd-" "xoxc-" "xoxe-1-" "xoxe.xoxb-1-" "xoxe.xoxp-1-" "xapp-";
    "xai" 20 => "xai-";
    "google" 20 => "ya29.";
}

/// For each first byte, the range of its formats.
static GROUPS: [(u8, u8); 128] = groups();

const fn groups() -> [(u8, u8); 128] {
    let mut groups = [(0, 0); 128];
    let mut index = 0;
    while index < FORMATS.len() {
        let first = FORMATS[index].prefix.as_bytes()[0] as usize;
        if groups[first].1 == 0 {
            groups[first].0 = index as u8;
        }
        groups[first].1 = index as u8 + 1;
        index += 1;
    }
    groups
}

/// The format with the longest prefix that a text begins with, and the length of that prefix.
fn longest(text: &str) -> Option<(&'static Format, usize)> {
    let (from, to) = *GROUPS.get(usize::from(*text.as_bytes().first()?))?;
    let group = FORMATS[usize::from(from)..usize::from(to)].iter();
    let format = group.filter(|format| text.starts_with(format.prefix)).max_by_key(|format| format.prefix.len())?;
    Some((format, format.prefix.len() + generation(format.prefix, text)))
}

/// `sk-ant-` goes on with a kind and two digits: `oat01-`, `api03-`.
fn generation(prefix: &str, text: &str) -> usize {
    if prefix != "sk-ant-" {
        return 0;
    }
    let rest = &text.as_bytes()[prefix.len()..];
    let letters = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    match rest.get(letters..letters + 3) {
        Some([first, second, b'-']) if (2..=8).contains(&letters) && first.is_ascii_digit() && second.is_ascii_digit() => letters + 3,
        _ => 0,
    }
}

/// The length of the documented prefix of a value; 0 when it has none.
pub(super) fn prefix_length(value: &str) -> usize {
    longest(value).map_or(0, |(_, length)| length)
}

/// The token that begins a text, by its format: its length and label.
pub(super) fn token_at(text: &str) -> Option<(usize, &'static str)> {
    let (format, prefix) = longest(text)?;
    let start = text.as_bytes()[prefix..].get(..format.least)?;
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let fits = match format.label {
        "aws" => start.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
        "api_key" => start.iter().all(inside) && start.iter().any(u8::is_ascii_digit),
        _ => start.iter().all(inside),
    };
    if !fits {
        return None;
    }
    let length = prefix + text.as_bytes()[prefix..].iter().take_while(|byte| inside(byte)).count();
    Some((text[..length].trim_end_matches('.').len(), format.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_letters_stand_together() {
        for (first, (from, to)) in GROUPS.iter().enumerate() {
            for format in &FORMATS[usize::from(*from)..usize::from(*to)] {
                assert_eq!(usize::from(format.prefix.as_bytes()[0]), first, "{}", format.prefix);
            }
        }
    }

    #[test]
    fn a_token_is_known_by_its_prefix() {
        let long = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7".repeat(3);
        for prefix in ["sk-ant-oat01-", "ghp_", "xoxe.xoxp-1-", "ya29.", "glpat-", "lin_oauth_", "1//0", "v4.local."] {
            let text = format!("{prefix}{long}");
            assert_eq!(token_at(&format!("{text} and more")).map(|found| found.0), Some(text.len()), "{prefix}");
            assert_eq!(prefix_length(&text), prefix.len());
        }
        assert_eq!(token_at("AKIAABCDEFGHIJKLMNOP").map(|found| found.1), Some("aws"));
        for text in ["ghp_short", "sk-learn", "AKIAabcdefghijklmnop", "secret_ish", "", "é"] {
            assert!(token_at(text).is_none(), "{text}");
        }
    }
}
