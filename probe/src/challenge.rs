//! The question of a dialler and the answer by which a listener proves its identity: one line each
//! way.
//!
//! There are two questions. After the answer to the first the listener ends the connection; after
//! the answer to the second, which TCP alone has, it waits for more.
//!
//! Over TCP each is a line on the connection, over UDP a datagram. The two begin differently: an
//! answer is never taken for a question, so two listeners cannot keep each other busy, and a TCP
//! socket that connected to itself proves nothing.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    str,
    sync::Arc,
};

use thiserror::Error;

use crate::wire::MAX_NONCE;

const ASK: &str = "netproof-ask/1 ";
const ASK_AND_STAY: &str = "netproof-stay/1 ";
const ANSWER: &str = "netproof-answer/1 ";

/// The longest [`Identity`], in bytes. A pod's UID has 36.
pub const MAX_IDENTITY: usize = 128;

/// The longest question, in bytes with its newline.
pub const MAX_ASK: usize = ASK_AND_STAY.len() + MAX_NONCE + 1;

/// The longest answer, in bytes with its newline. No answer has 9 times the bytes of its question,
/// so a listener is of little use to those that want traffic multiplied.
pub const MAX_ANSWER: usize = ANSWER.len() + MAX_NONCE + 1 + MAX_IDENTITY + 1;

/// Between 1 and [`MAX_NONCE`] hexadecimal digits, which tell one question from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// None unless the text is 1 to [`MAX_NONCE`] hexadecimal digits.
    pub fn new(text: String) -> Option<Self> {
        is_nonce(&text).then_some(Self(text))
    }

    /// 16 digits at random: enough to tell attempts apart, and no secret.
    pub fn fresh() -> Self {
        // Each `RandomState` hashes nothing to another number.
        Self(format!("{:016x}", RandomState::new().build_hasher().finish()))
    }

    /// The digits, as they were given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name that a probe gives in its answers: 1 to [`MAX_IDENTITY`] printable ASCII characters, no
/// spaces. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Arc<str>);

impl Identity {
    /// None unless the text fits into an answer.
    pub fn new(text: &str) -> Option<Self> {
        is_identity(text).then(|| Self(text.into()))
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why an answer proves nothing. Completes "connected, but ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoProof {
    /// What came back is no answer: the far end is no probe, or one of another version.
    #[error("what came back is not a probe's answer")]
    NotAnAnswer,
    /// The answer carries another nonce: it answers another question.
    #[error("a probe's answer came back with another nonce")]
    OtherNonce,
}

/// The question after whose answer the listener ends the connection, newline included.
pub fn ask(nonce: &Nonce) -> Vec<u8> {
    [ASK, &nonce.0, "\n"].concat().into_bytes()
}

/// The question after whose answer the connection stays, newline included.
pub fn ask_and_stay(nonce: &Nonce) -> Vec<u8> {
    [ASK_AND_STAY, &nonce.0, "\n"].concat().into_bytes()
}

/// A listener's answer, newline included; none unless `received` is exactly one question of
/// [`ask`].
pub fn answer(received: &[u8], identity: &Identity) -> Option<Vec<u8>> {
    answer_to(ASK, received, identity)
}

/// A listener's answer, newline included; none unless `received` is exactly one question of
/// [`ask_and_stay`].
pub fn answer_and_stay(received: &[u8], identity: &Identity) -> Option<Vec<u8>> {
    answer_to(ASK_AND_STAY, received, identity)
}

/// The nonce of a question; none unless [`answer`] answers `received`.
pub fn asked(received: &[u8]) -> Option<Nonce> {
    Nonce::new(line(received)?.strip_prefix(ASK)?.to_owned())
}

fn answer_to(question: &str, received: &[u8], identity: &Identity) -> Option<Vec<u8>> {
    let nonce = line(received)?.strip_prefix(question)?;
    is_nonce(nonce).then(|| [ANSWER, nonce, " ", &identity.0, "\n"].concat().into_bytes())
}

/// The identity in `received`, if that is exactly one answer to the question with this nonce.
pub fn proven<'a>(received: &'a [u8], nonce: &Nonce) -> Result<&'a str, NoProof> {
    let (echoed, identity) = line(received)
        .and_then(|line| line.strip_prefix(ANSWER)?.split_once(' '))
        .filter(|(echoed, identity)| is_nonce(echoed) && is_identity(identity))
        .ok_or(NoProof::NotAnAnswer)?;
    if echoed == nonce.0 { Ok(identity) } else { Err(NoProof::OtherNonce) }
}

/// The one line that `received` consists of, without its newline.
fn line(received: &[u8]) -> Option<&str> {
    str::from_utf8(received.strip_suffix(b"\n")?).ok()
}

fn is_nonce(text: &str) -> bool {
    (1..=MAX_NONCE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_identity(text: &str) -> bool {
    (1..=MAX_IDENTITY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(text: &str) -> Nonce {
        Nonce::new(text.to_owned()).expect("the test's nonce is one")
    }

    fn identity(text: &str) -> Identity {
        Identity::new(text).expect("the test's identity is one")
    }

    #[test]
    fn the_question_and_the_answer_have_these_words() {
        let question = ask(&nonce("00ff"));
        assert_eq!(question, b"netproof-ask/1 00ff\n");
        assert_eq!(asked(&question), Some(nonce("00ff")));
        assert_eq!(
            answer(&question, &identity("pod-a")).as_deref(),
            Some(&b"netproof-answer/1 00ff pod-a\n"[..])
        );
    }

    #[test]
    fn an_answer_proves_the_identity_in_it() {
        let received = answer(&ask(&nonce("00ff")), &identity("pod-a")).expect("it was asked");
        assert_eq!(proven(&received, &nonce("00ff")), Ok("pod-a"));
        assert_eq!(proven(&received, &nonce("00fe")), Err(NoProof::OtherNonce));
    }

    #[test]
    fn a_question_that_wants_to_stay_is_another_question() {
        let question = ask_and_stay(&nonce("00ff"));
        assert_eq!(question, b"netproof-stay/1 00ff\n");
        assert_eq!(answer(&question, &identity("pod-a")), None);
        let reply = answer_and_stay(&question, &identity("pod-a")).expect("it was asked");
        assert_eq!(proven(&reply, &nonce("00ff")), Ok("pod-a"));
        assert_eq!(answer_and_stay(&ask(&nonce("00ff")), &identity("pod-a")), None);
    }

    #[test]
    fn only_a_well_formed_question_is_answered() {
        let too_long = format!("netproof-ask/1 {}\n", "0".repeat(MAX_NONCE + 1));
        for received in [
            "",
            "\n",
            "GET / HTTP/1.1\r\n",
            "netproof-ask/1 \n",
            "netproof-ask/1 00ff",
            "netproof-ask/1 00ff\r\n",
            "netproof-ask/1 00ff \n",
            "netproof-ask/1 00ff\nmore\n",
            "netproof-ask/1 nonsense\n",
            "netproof-ask/2 00ff\n",
            &too_long,
        ] {
            assert_eq!(answer(received.as_bytes(), &identity("pod-a")), None, "{received:?}");
            assert_eq!(asked(received.as_bytes()), None, "{received:?}");
        }
    }

    #[test]
    fn an_answer_is_not_answered_and_a_question_proves_nothing() {
        let question = ask(&nonce("00ff"));
        let reply = answer(&question, &identity("pod-a")).expect("it was asked");
        assert_eq!(answer(&reply, &identity("pod-b")), None);
        assert_eq!(proven(&question, &nonce("00ff")), Err(NoProof::NotAnAnswer));
    }

    #[test]
    fn a_malformed_answer_proves_nothing() {
        for received in [
            &b""[..],
            b"netproof-answer/1 00ff pod-a",
            b"netproof-answer/1 00ff \n",
            b"netproof-answer/1 00ff pod a\n",
            b"netproof-answer/1 00ff pod-a\nmore\n",
            b"netproof-answer/1 00ff pod-\xff\n",
            b"HTTP/1.1 400 Bad Request\n",
        ] {
            let claim = received.escape_ascii().to_string();
            assert_eq!(proven(received, &nonce("00ff")), Err(NoProof::NotAnAnswer), "{claim}");
        }
    }

    #[test]
    fn the_longest_lines_fit_their_limits() {
        let longest = nonce(&"f".repeat(MAX_NONCE));
        let question = ask(&longest);
        assert!(question.len() < MAX_ASK);
        assert_eq!(ask_and_stay(&longest).len(), MAX_ASK);
        let reply = answer(&question, &identity(&"i".repeat(MAX_IDENTITY))).expect("it was asked");
        assert_eq!(reply.len(), MAX_ANSWER);
    }

    #[test]
    fn identities_that_would_break_an_answer_are_not_accepted() {
        for text in ["", "pod a", "pod\na", "pöd", &"i".repeat(MAX_IDENTITY + 1)] {
            assert_eq!(Identity::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn fresh_nonces_differ() {
        assert_ne!(Nonce::fresh(), Nonce::fresh());
    }
}
