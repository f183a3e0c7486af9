//! GRUUs: URIs that reach one phone of an account, from wherever they are used.
//!
//! Spec:     RFC 5627 §3 and §5 (public and temporary GRUUs).
//! In:       an account's address and its phones' lasting names; URIs with `gr`.
//! Out:      the URIs that a REGISTER is answered with; the phone that one names.
//! Not here: the bindings (`registrar`), whether who calls may call there (`switch::admission`).
//!
//! A temporary GRUU tells neither the account nor the phone: its user is chance. It is known while
//! the phone stays registered in the same Call-ID; of each phone the newest `TEMPORARY_MAX` are.

use std::collections::HashMap;

use super::Registrar;
use super::binding::Binding;
use crate::id::ExtensionId;
use crate::rng::Rng;
use crate::sip::message::{Name, Request, Uri};

/// The option tag of phones that want GRUUs.
pub const TAG: &str = "gruu";

/// One phone of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    pub extension: ExtensionId,
    /// Its lasting name (RFC 5626 §4.1).
    pub instance: String,
}

impl Phone {
    /// Whether a binding is this phone's.
    pub fn has(&self, binding: &Binding) -> bool {
        binding.instance.as_ref() == Some(&self.instance)
    }
}

/// Whose phone each temporary GRUU is.
pub(super) type Temporary = HashMap<String, ExtensionId>;

impl Registrar {
    /// The phone that a URI names if it is a GRUU, or the status that refuses it; `None` if it is
    /// none (RFC 5627 §6.1).
    pub fn at_gruu(&self, uri: &Uri<'_>) -> Option<Result<Phone, u16>> {
        let gr = uri.param_unescaped("gr")?;
        let user = uri.user_unescaped().unwrap_or_default();
        if gr.is_empty() {
            return Some(self.at_temporary(&user).ok_or(NOT_FOUND));
        }
        let extension = ExtensionId::from(&*user);
        let phone = self.all(&extension).into_iter().find_map(|binding| {
            let instance = binding.instance.filter(|instance| name_of(instance) == gr)?;
            Some(Phone { extension: extension.clone(), instance })
        });
        Some(phone.ok_or(NOT_REGISTERED))
    }

    fn at_temporary(&self, user: &str) -> Option<Phone> {
        let extension = self.temporary.get(user)?.clone();
        let mut all = self.all(&extension).into_iter();
        let binding = all.find(|binding| binding.temporary.iter().any(|known| known == user))?;
        Some(Phone { extension, instance: binding.instance? })
    }

    /// Remembers the temporary GRUUs of a binding, which goes on from a former one of its phone or
    /// stands in the place of another's.
    pub(super) fn name_anew(
        &mut self,
        rng: &mut Rng,
        request: &Request,
        former: Option<&Binding>,
        binding: &mut Binding,
    ) {
        let former = former.map(|former| {
            let same = former.instance == binding.instance && former.call_id == binding.call_id;
            (same, &former.temporary)
        });
        match former {
            Some((true, known)) => binding.temporary.clone_from(known),
            Some((false, known)) => self.forget_names(known),
            None => {}
        }
        if binding.instance.is_none() || !request.has_value(Name::Supported, TAG) {
            return;
        }
        binding.temporary.push(format!("{PREFIX}{}", rng.token(16)));
        let surplus = binding.temporary.len().saturating_sub(TEMPORARY_MAX);
        let forgotten: Vec<String> = binding.temporary.drain(..surplus).collect();
        self.forget_names(&forgotten);
    }

    /// The names are nobody's any more.
    pub(super) fn forget_names(&mut self, names: &[String]) {
        for name in names {
            self.temporary.remove(name);
        }
    }

    /// The names are an account's.
    pub(super) fn learn_names(&mut self, extension: &ExtensionId, names: &[String]) {
        for name in names {
            self.temporary.insert(name.clone(), extension.clone());
        }
    }
}

/// What a Contact in the answer to a REGISTER says of its phone's GRUUs; `aor` is the account's
/// address without parameters.
pub(super) fn told(aor: &str, binding: &Binding) -> String {
    let Some(instance) = &binding.instance else { return String::new() };
    let mut told = format!(";pub-gruu=\"{aor};gr={}\"", escaped(name_of(instance)));
    let place = aor.split_once('@').map(|(_, place)| place);
    let scheme = aor.split_once(':').map(|(scheme, _)| scheme);
    if let (Some(newest), Some(place), Some(scheme)) = (binding.temporary.last(), place, scheme) {
        told += &format!(";temp-gruu=\"{scheme}:{newest}@{place};gr\"");
    }
    told
}

/// An instance without the brackets that it is registered in.
fn name_of(instance: &str) -> &str {
    let inside = instance.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inside.unwrap_or(instance)
}

/// A text as the value of a URI parameter (RFC 3261 §25.1, `paramchar`).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
    }
    escaped
}

/// Temporary GRUUs of one phone that are known at a time.
const TEMPORARY_MAX: usize = 16;
/// What the user of a temporary GRUU begins with.
const PREFIX: &str = "tgruu.";
const NOT_FOUND: u16 = 404;
const NOT_REGISTERED: u16 = 480;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_stands_safely_in_a_uri() {
        assert_eq!(escaped("urn:uuid:f81d4fae-7dec"), "urn:uuid:f81d4fae-7dec");
        assert_eq!(escaped("a\"b;c>d é"), "a%22b%3Bc%3Ed%20%C3%A9");
        assert_eq!(name_of("<urn:x>"), "urn:x");
        assert_eq!(name_of("urn:x"), "urn:x");
    }
}
