use super::*;

/// An API server with one Lease or none, which may leave requests without an answer.
#[derive(Default)]
struct Server {
    lease: Option<LeaseRecord>,
    version: u64,
    silent: bool,
}

impl Server {
    fn look(&self) -> Event {
        if self.silent {
            Event::Silent("no answer".into())
        } else {
            Event::Found(self.lease.clone())
        }
    }

    fn claim(&mut self, me: &str, version: Option<&str>) -> Event {
        if self.silent {
            return Event::Silent("no answer".into());
        }
        if self.lease.as_ref().map(|lease| lease.version.as_str()) != version {
            return Event::Refused;
        }
        Event::Granted(self.write(Some(me)))
    }

    fn write(&mut self, holder: Option<&str>) -> String {
        self.version += 1;
        let holder = holder
            .map(|identity| Holder { identity: identity.into(), installation: Some("x".into()) });
        let version = self.version.to_string();
        self.lease = Some(LeaseRecord { version: version.clone(), holder, duration: DURATION });
        version
    }
}

/// A candidate with a clock that begins at a time of its own.
struct Candidate {
    name: &'static str,
    election: Election,
    clock: Instant,
    wakes: Duration,
    ended: bool,
}

impl Candidate {
    fn new(name: &'static str, skew: u64) -> Self {
        let clock = Instant::now() + Duration::from_secs(skew);
        Self { name, election: Election::new(name), clock, wakes: Duration::ZERO, ended: false }
    }

    fn acts(&self, at: Duration) -> bool {
        !self.ended && self.election.standing().acts(self.clock + at)
    }

    /// Does all steps that are due at this moment, until it rests.
    fn run(&mut self, server: &mut Server, at: Duration) {
        if self.ended || at < self.wakes {
            return;
        }
        let now = self.clock + at;
        let mut event = Event::Rested;
        loop {
            match self.election.next(event, now) {
                Step::Look => event = server.look(),
                Step::Claim(version) => event = server.claim(self.name, version.as_deref()),
                Step::Rest(rest) => {
                    self.wakes = at + rest;
                    return;
                }
                Step::End => {
                    self.ended = true;
                    return;
                }
            }
        }
    }
}

const TICK: Duration = Duration::from_millis(100);

/// Lets candidates run for some time, in seconds, and checks that no two ever act at once. Returns
/// when each first acted; none if it did not.
fn run(
    server: &mut Server,
    candidates: &mut [&mut Candidate],
    from: u64,
    to: u64,
) -> Vec<Option<Duration>> {
    let mut began = vec![None; candidates.len()];
    let mut at = Duration::from_secs(from);
    while at < Duration::from_secs(to) {
        for candidate in candidates.iter_mut() {
            candidate.run(server, at);
        }
        let acting: Vec<usize> =
            (0..candidates.len()).filter(|n| candidates[*n].acts(at)).collect();
        assert!(acting.len() <= 1, "two act at {at:?}");
        for one in acting {
            began[one].get_or_insert(at);
        }
        at += TICK;
    }
    began
}

#[test]
fn of_two_candidates_one_acts_and_goes_on() {
    let (mut server, mut a, mut b) =
        (Server::default(), Candidate::new("a", 0), Candidate::new("b", 0));
    let began = run(&mut server, &mut [&mut a, &mut b], 0, 600);
    assert_eq!(began, [Some(Duration::ZERO), None]);
    assert!(a.acts(Duration::from_secs(599)));
    assert!(matches!(b.election.standing(), Standing::Waiting(holder) if holder.identity == "a"));
    assert!(server.version <= 61, "six renewals a minute: {}", server.version);
}

#[test]
fn one_that_is_stopped_is_succeeded_and_ends_when_it_goes_on() {
    let (mut server, mut a, mut b) =
        (Server::default(), Candidate::new("a", 0), Candidate::new("b", 0));
    run(&mut server, &mut [&mut a, &mut b], 0, 30);
    // Only b runs, and a may not act all the same.
    for second in 30..60 {
        run(&mut server, &mut [&mut b], second, second + 1);
        let at = Duration::from_secs(second);
        assert!(!(a.acts(at) && b.acts(at)), "two may act at {at:?}");
    }
    assert!(b.acts(Duration::from_secs(59)));
    assert!(!a.acts(Duration::from_secs(60)), "not even before it does anything");
    run(&mut server, &mut [&mut a, &mut b], 60, 90);
    assert!(a.ended && b.acts(Duration::from_secs(89)));
    assert!(matches!(a.election.standing(), Standing::Succeeded(by) if by.identity == "b"));
}

#[test]
fn one_that_is_stopped_and_not_succeeded_goes_on() {
    let (mut server, mut a) = (Server::default(), Candidate::new("a", 0));
    run(&mut server, &mut [&mut a], 0, 30);
    assert!(!a.acts(Duration::from_secs(60)));
    run(&mut server, &mut [&mut a], 60, 61);
    assert!(a.acts(Duration::from_secs(60)) && !a.ended);
}

#[test]
fn clocks_that_differ_by_an_hour_change_nothing() {
    for (skew_a, skew_b) in [(0, 3600), (3600, 0)] {
        let (mut server, mut a, mut b) =
            (Server::default(), Candidate::new("a", skew_a), Candidate::new("b", skew_b));
        let began = run(&mut server, &mut [&mut a, &mut b], 0, 120);
        assert_eq!(began, [Some(Duration::ZERO), None]);
        let began = run(&mut server, &mut [&mut b], 120, 150);
        let took = began[0].expect("it takes over").saturating_sub(Duration::from_secs(120));
        assert!(took <= DURATION + POLL, "{took:?}");
    }
}

#[test]
fn a_lease_that_was_given_back_is_taken_at_once() {
    let (mut server, mut a, mut b) =
        (Server::default(), Candidate::new("a", 0), Candidate::new("b", 0));
    run(&mut server, &mut [&mut a, &mut b], 0, 30);
    a.ended = true;
    server.write(None);
    let began = run(&mut server, &mut [&mut a, &mut b], 30, 40);
    assert!(began[1].is_some_and(|at| at <= Duration::from_secs(30) + POLL), "{began:?}");
}

#[test]
fn a_lease_that_was_removed_still_belongs_to_who_was_seen_to_hold_it() {
    let (mut server, mut a, mut b) =
        (Server::default(), Candidate::new("a", 0), Candidate::new("b", 0));
    run(&mut server, &mut [&mut a, &mut b], 0, 35);
    server.lease = None;
    let began = run(&mut server, &mut [&mut a, &mut b], 35, 120);
    assert_eq!(began[1], None, "a makes it anew when it renews");
    assert!(a.acts(Duration::from_secs(119)));
}

#[test]
fn of_two_that_take_it_on_the_same_word_one_is_refused() {
    let mut server = Server::default();
    server.write(None);
    let (mut a, mut b) = (Election::new("a"), Election::new("b"));
    let now = Instant::now();
    let found = server.look();
    let [Step::Claim(first), Step::Claim(second)] =
        [a.next(found.clone(), now), b.next(found, now)]
    else {
        panic!("both claim it")
    };
    let granted = server.claim("a", first.as_deref());
    assert!(matches!(a.next(granted, now), Step::Rest(_)));
    let refused = server.claim("b", second.as_deref());
    assert_eq!(refused, Event::Refused);
    assert_eq!(b.next(refused, now), Step::Rest(POLL));
    assert!(a.standing().acts(now) && !b.standing().acts(now));
}

#[test]
fn a_conflict_with_somebody_who_holds_nothing_costs_no_turn() {
    let (mut server, mut a) = (Server::default(), Candidate::new("a", 0));
    run(&mut server, &mut [&mut a], 0, 5);
    // Something else has written the Lease, without changing its holder.
    server.write(Some("a"));
    run(&mut server, &mut [&mut a], 5, 60);
    assert!(a.acts(Duration::from_secs(59)) && !a.ended);
}

#[test]
fn while_the_api_server_is_silent_nobody_acts_and_then_the_same_does() {
    let (mut server, mut a, mut b) =
        (Server::default(), Candidate::new("a", 0), Candidate::new("b", 0));
    run(&mut server, &mut [&mut a, &mut b], 0, 30);
    server.silent = true;
    run(&mut server, &mut [&mut a, &mut b], 30, 90);
    assert!(!a.acts(Duration::from_secs(60)) && !b.acts(Duration::from_secs(60)));
    server.silent = false;
    run(&mut server, &mut [&mut a, &mut b], 90, 120);
    assert!(a.acts(Duration::from_secs(119)) || b.acts(Duration::from_secs(119)));
}

#[test]
fn a_renewal_counts_from_when_it_was_asked_for() {
    let mut a = Election::new("a");
    let asked = Instant::now();
    assert_eq!(a.next(Event::Found(None), asked), Step::Claim(None));
    let answered = asked + CALL;
    let rest = PERIOD.saturating_sub(CALL);
    assert_eq!(a.next(Event::Granted("1".into()), answered), Step::Rest(rest));
    assert_eq!(a.standing(), &Standing::Acting { until: asked + DEADLINE });
}

#[test]
fn a_claim_of_which_nothing_was_heard_is_looked_up() {
    let mut a = Election::new("a");
    let now = Instant::now();
    assert_eq!(a.next(Event::Found(None), now), Step::Claim(None));
    assert_eq!(a.next(Event::Silent("x".into()), now), Step::Rest(POLL));
    assert!(!a.standing().acts(now), "what was not heard was not granted");
    assert_eq!(a.next(Event::Rested, now), Step::Look);
}
