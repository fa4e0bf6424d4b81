//! Cases that once showed a mistake, in the machines or here. They are run for ever.
//!
//! A number means a case only as long as the same is drawn from it: beside each stands the fingerprint of its case, and a
//! test fails when they part. Where the mend can be taken out again, its mutant stands there, too, and the canaries prove
//! that the case still shows what it was pinned for: that holds whatever else may change, in the generator or in the world.

use super::scenario::Scenario;

/// A case that is kept.
#[derive(Copy, Clone, Debug)]
pub struct Pinned {
    /// What it is drawn from.
    pub seed: u64,
    /// What was drawn.
    pub fingerprint: u64,
    /// The mutant that takes the mend out. `None`: the mistake was one of the simulation, or has no single place; what it
    /// was in the machines has a test in the core.
    pub mend: Option<&'static str>,
}

const fn pinned(seed: u64, fingerprint: u64, mend: Option<&'static str>) -> Pinned {
    Pinned { seed, fingerprint, mend }
}

/// All of them, in the order in which they were found.
pub const PINNED: &[Pinned] = &[
    pinned(0x90, 0x43f8_1790_ade4_8da5, None),
    pinned(0x19b, 0xba57_9e79_3ec7_7e9b, None),
    pinned(0x1c7, 0x6b9d_283e_d36c_c297, None),
    pinned(0x553, 0x231a_0995_c732_7544, Some("lease_at_start")),
    pinned(0xb5b, 0x71a6_821d_274f_2550, None),
    pinned(0x15e8, 0xb796_8f7f_5e7b_c61a, None),
    pinned(0x3f33, 0x584a_115b_762f_3a3b, None),
    pinned(0x4da4, 0x400d_13d0_8419_3c6d, None),
    pinned(0x83d1, 0x3b0e_853f_038a_bebe, None),
    pinned(0x93a7, 0xcc99_c618_5505_ac26, None),
    pinned(0x11378, 0xf895_8aa4_a864_8161, None),
    pinned(0x17185, 0x2617_81ab_3254_69d7, None),
    pinned(0x15_6d63, 0x3067_c876_9144_3f1e, None),
    pinned(0x1c_1c3c, 0x0725_3b9e_97ff_014a, None),
    pinned(0x263_656d, 0xd36c_4b59_2a6c_1393, Some("absent_answer")),
    pinned(0x393_b798, 0x082c_8706_4ac2_2ad6, None),
    pinned(0x394_1f76, 0x22e2_d188_8970_bc72, None),
    pinned(0x39f_2923, 0xb52b_74ee_e5f4_a694, None),
    pinned(0x2_aafe, 0x9a10_a1b8_476a_df4e, None),
    pinned(0x2_f1fa, 0x722d_b077_619b_dd65, Some("unheard")),
    pinned(0x98b_3524, 0x227f_b07b_3830_403b, Some("counted")),
];

impl Pinned {
    /// The case.
    ///
    /// # Errors
    /// It is not the one that was pinned: what to do.
    pub fn case(&self) -> Result<Scenario, String> {
        let scenario = Scenario::draw(self.seed);
        let now = scenario.fingerprint();
        if now == self.fingerprint {
            return Ok(scenario);
        }
        let again = match self.mend {
            Some(mend) => format!(
                "pin a seed that notices `{mend}` instead (add the mutant to CANARIES for a moment: the test prints the first)"
            ),
            None => {
                "it pins nothing any more: strike it out, or write its new fingerprint down, knowing that"
                    .to_owned()
            }
        };
        Err(format!(
            "seed {:#x} draws another case than the one that was pinned, because the generator has changed, or what a case \
             consists of (now 0x{now:016x}). Draw what is new from a copy of the dice, as `tail` is drawn, so that what \
             follows does not move; if it must move, {again}",
            self.seed
        ))
    }
}

impl Scenario {
    /// A number for all that is drawn. Method: 64-bit FNV-1a (Fowler, Noll and Vo) of its words for a programmer.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let words = format!("{self:?}");
        words
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}
