//! What goes wrong.

use cni_steward::pki::keeping::{KEYS, Texts};
use cni_steward::pki::{Bundle, authority, leaf};

use crate::world::{Configuration, DAY, Kind, SECOND, World};

impl World {
    /// One of them, at random.
    pub fn fault(&mut self) {
        self.faults += 1;
        let index = usize::try_from(self.random.below(self.nodes.len() as u64)).unwrap();
        match (self.random.below(6), self.kind) {
            (0, _) => self.kill(index),
            (1, _) => {
                for index in 0..self.nodes.len() {
                    self.kill(index);
                }
            }
            (2, _) => self.cut_off(index),
            (3, _) | (_, Kind::Gentle) => self.hand_over(index),
            (_, Kind::Rough) => self.rough(index),
        }
    }

    fn hand_over(&mut self, index: usize) {
        self.note(&format!("replica {index} leads"));
        // Now and then the one before has not noticed.
        let two = self.random.once_in(3);
        for (other, node) in self.nodes.iter_mut().enumerate() {
            node.leads = other == index || (two && node.leads);
            node.due = node.due.min(self.now + SECOND);
        }
    }

    fn cut_off(&mut self, index: usize) {
        let until = self.now + self.random.between(1, if self.kind == Kind::Gentle { DAY } else { 20 * DAY });
        let all = self.random.once_in(3);
        self.note(&format!("the API server cannot be reached, by {}", if all { "anyone" } else { "one" }));
        for (other, node) in self.nodes.iter_mut().enumerate() {
            if all || other == index {
                node.alone_until = until;
            }
        }
    }

    fn rough(&mut self, index: usize) {
        let while_it_lasts = self.now + self.random.between(1, 30 * DAY);
        match self.random.below(14) {
            0 => {
                self.note("the Secret is deleted");
                self.store(None);
            }
            1 => self.damage(),
            2 => self.ask_for_a_new_authority(),
            3 => self.foreign_secret(),
            4 => self.older_secret(),
            5 => {
                self.note("the bundles are wiped");
                let entries = vec![Bundle::default(); self.configuration().entries.len()];
                self.configure_theirs(entries);
            }
            6 => self.foreign_bundle(),
            7 => self.older_bundle(),
            8 => {
                self.note("the configuration is deleted");
                for configuration in &mut self.configurations {
                    configuration.theirs = true;
                }
                self.configure_theirs(Vec::new());
            }
            9 => {
                self.note("the canary breaks");
                self.canary_breaks_until = while_it_lasts;
            }
            10 => {
                self.note("the bundle may not be written");
                self.trust_forbidden_until = while_it_lasts;
            }
            11 => {
                self.note("the Secret may not be written");
                self.secret_forbidden_until = while_it_lasts;
            }
            // Two clocks that are wrong alike would convince anyone.
            12 if self.nodes.iter().all(|node| node.clock_jumps_until <= self.now) => {
                self.note("an API server's clock is 400 days ahead");
                self.bad_server_until = while_it_lasts;
            }
            _ if self.bad_server_until > self.now => {}
            _ => {
                self.note(&format!("the clock of replica {index} jumps"));
                let days = *self.random.pick(&[-400, 0, 0, 400]);
                self.nodes[index].clock = days * DAY.cast_signed();
                self.nodes[index].clock_jumps_until = while_it_lasts;
            }
        }
    }

    /// A configuration that is not there can only be made anew, as the chart has it.
    fn configure_theirs(&mut self, entries: Vec<Bundle>) {
        let gone = self.configuration().entries.is_empty();
        self.configure(if gone { vec![Bundle::default(); 4] } else { entries }, true);
    }

    fn change(&mut self, change: impl FnOnce(&mut Texts)) {
        let Some(secret) = &self.secret else { return };
        let mut texts = secret.texts.clone();
        change(&mut texts);
        self.store(Some(texts));
    }

    fn damage(&mut self) {
        let key = *self.random.pick(&KEYS);
        let how = self.random.below(4);
        self.note(&format!("{key} of the Secret is damaged ({how})"));
        let other = authority::make(self.time(0)).unwrap();
        self.change(|texts| {
            let Some(text) = texts.get_mut(key) else { return };
            match how {
                0 => text.truncate(text.len() / 2),
                1 => text.clear(),
                2 => drop(texts.remove(key)),
                _ if key.ends_with("key") => *text = other.key,
                _ => *text = other.cert,
            }
        });
    }

    fn ask_for_a_new_authority(&mut self) {
        self.note("ca.key is taken away");
        self.change(|texts| drop(texts.remove("ca.key")));
    }

    /// Whole and for our names, but nobody was told to trust it.
    fn foreign_secret(&mut self) {
        self.note("another issuer writes its certificate into the Secret");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "corp");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        let ca = cni_steward::pki::Pair { cert: cert.pem(), key: key.serialize_pem() };
        let leaf = leaf::make(self.time(0), &ca, &self.names).unwrap();
        self.change(|texts| {
            texts.insert("ca.crt".into(), ca.cert);
            texts.insert("tls.crt".into(), leaf.cert);
            texts.insert("tls.key".into(), leaf.key);
        });
    }

    fn older_secret(&mut self) {
        let kept: Vec<Texts> = self.history.clone();
        if kept.is_empty() {
            return;
        }
        self.note("the Secret is restored from a backup");
        let texts = self.random.pick(&kept).clone();
        self.store(Some(texts));
    }

    fn foreign_bundle(&mut self) {
        self.note("one entry gets another's bundle");
        let mut entries = self.configuration().entries.clone();
        if let Some(entry) = entries.first_mut() {
            let key = rcgen::KeyPair::generate().unwrap();
            let cert = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            *entry = Bundle::read(&cert.pem());
        }
        self.configure_theirs(entries);
    }

    fn older_bundle(&mut self) {
        self.note("the bundles are set back");
        let all: Vec<Configuration> = self.configurations.clone();
        let entries = self.random.pick(&all).entries.clone();
        if !entries.is_empty() {
            self.configure_theirs(entries);
        }
    }
}
