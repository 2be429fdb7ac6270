//! Every colour of the report, in one place: figures, pages and pictures take them from here.
//!
//! A figure is written with the colours for paper; [`themed`] turns them into CSS variables, so that in a page the same figure
//! follows the reader's light or dark theme. The owners of time take the colour-blind-safe sets of Okabe and Ito ("Color Universal
//! Design", 2008) and Tol ("Colour Schemes", SRON/EPS/TN/09-002, 2021), related owners from one family: blue where a core computes,
//! green where its own caches answer, warm where memory does. Labels repeat what a colour says wherever there is room.

use std::fmt::Write as _;

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// As SVG and CSS write it: `#RRGGBB`.
    pub fn hex(self) -> String {
        format!("#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}

/// A colour with its counterpart on a dark page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    /// The CSS variable, without `--`.
    pub variable: &'static str,
    /// On paper and on a light page.
    pub light: Colour,
    /// On a dark page.
    pub dark: Colour,
}

const fn ink(variable: &'static str, light: Colour, dark: Colour) -> Ink {
    Ink { variable, light, dark }
}

/// What everything is drawn on.
pub const PAPER: Ink = ink("paper", Colour(255, 255, 255), Colour(20, 23, 28));
/// Boxes and folded parts, a shade off the paper.
pub const PANEL: Ink = ink("panel", Colour(246, 247, 249), Colour(29, 33, 40));
/// Text and lines that matter.
pub const TEXT: Ink = ink("text", Colour(27, 30, 35), Colour(232, 234, 237));
/// Text and lines that matter less.
pub const MUTED: Ink = ink("muted", Colour(87, 96, 108), Colour(166, 175, 187));
/// Rules, grids and borders.
pub const RULE: Ink = ink("rule", Colour(216, 221, 227), Colour(56, 63, 73));
/// Bars and points that stand for one thing only.
pub const ACCENT: Ink = ink("accent", Colour(0, 91, 150), Colour(110, 180, 240));
/// What needs the reader's attention.
pub const ALARM: Ink = ink("alarm", Colour(176, 42, 26), Colour(255, 138, 117));
/// Text on a deep colour, in both themes.
pub const ON_DEEP: Ink = ink("on-deep", Colour(253, 254, 254), Colour(253, 254, 254));
/// Text on a pale colour, in both themes.
pub const ON_PALE: Ink = ink("on-pale", Colour(14, 17, 22), Colour(14, 17, 22));

/// Shares from 0 to 1 in five steps, from quiet to hot (after Tol's YlOrBr; on a dark page hotter is brighter).
pub const HEAT: [Ink; 5] = [
    ink("heat-0", Colour(255, 247, 220), Colour(46, 38, 26)),
    ink("heat-1", Colour(254, 227, 145), Colour(92, 66, 18)),
    ink("heat-2", Colour(254, 196, 79), Colour(138, 84, 10)),
    ink("heat-3", Colour(236, 112, 20), Colour(214, 122, 36)),
    ink("heat-4", Colour(153, 52, 4), Colour(250, 190, 110)),
];

/// Text on the steps of [`HEAT`].
pub const ON_HEAT: [Ink; 5] = [
    ink("on-heat-0", Colour(27, 30, 36), Colour(232, 234, 238)),
    ink("on-heat-1", Colour(27, 30, 37), Colour(240, 241, 243)),
    ink("on-heat-2", Colour(27, 30, 38), Colour(254, 255, 255)),
    ink("on-heat-3", Colour(14, 17, 23), Colour(14, 17, 23)),
    ink("on-heat-4", Colour(254, 254, 253), Colour(14, 17, 24)),
];

/// The step of [`HEAT`] for a share; shares beyond 0 and 1 take the ends.
pub fn heat(share: f64) -> usize {
    if share.is_nan() { 0 } else { ((share * 5.0).floor().clamp(0.0, 4.0)) as usize }
}

/// What an instant of a core's time is charged to.
pub struct Owner {
    /// As in metric names: `stack.{key}_ps`.
    pub key: &'static str,
    /// As figures name it.
    pub label: &'static str,
    pub fill: Ink,
    /// Text on the fill.
    pub on: Ink,
    /// What the core does or waits for, as the end of "the core ...".
    pub meaning: &'static str,
}

/// The owners of time in the order stacks are drawn in.
pub const OWNERS: [Owner; 15] = [
    Owner {
        key: "base",
        label: "base",
        fill: ink("base", Colour(0, 114, 178), Colour(0, 114, 178)),
        on: ON_DEEP,
        meaning: "carries out instructions at its full rate: the work itself",
    },
    Owner {
        key: "dependency",
        label: "dependency",
        fill: ink("dependency", Colour(86, 180, 233), Colour(86, 180, 233)),
        on: ON_PALE,
        meaning: "waits for the result of an earlier instruction, such as a division or a chain of additions",
    },
    Owner {
        key: "branch",
        label: "branch",
        fill: ink("branch", Colour(176, 220, 242), Colour(176, 220, 242)),
        on: ON_PALE,
        meaning: "refills its pipeline after it guessed a branch wrong",
    },
    Owner {
        key: "l1d",
        label: "L1d",
        fill: ink("l1d", Colour(17, 119, 51), Colour(24, 125, 58)),
        on: ON_DEEP,
        meaning: "waits for data that its first-level cache holds",
    },
    Owner {
        key: "l2",
        label: "L2",
        fill: ink("l2", Colour(68, 170, 153), Colour(68, 170, 153)),
        on: ON_PALE,
        meaning: "waits for data that its second-level cache holds",
    },
    Owner {
        key: "llc",
        label: "LLC",
        fill: ink("llc", Colour(172, 186, 72), Colour(172, 186, 72)),
        on: ON_PALE,
        meaning: "waits for data that the shared last-level cache holds",
    },
    Owner {
        key: "translation",
        label: "translation",
        fill: ink("translation", Colour(170, 68, 153), Colour(170, 68, 153)),
        on: ON_DEEP,
        meaning: "waits until the address of its data is translated: for the second-level TLB, or for a walk of the page table",
    },
    Owner {
        key: "memory_local",
        label: "local memory",
        fill: ink("memory-local", Colour(213, 94, 0), Colour(222, 106, 16)),
        on: ON_PALE,
        meaning: "waits for the memory of its own node",
    },
    Owner {
        key: "memory_remote",
        label: "remote memory",
        fill: ink("memory-remote", Colour(136, 34, 85), Colour(168, 52, 110)),
        on: ON_DEEP,
        meaning: "waits for the memory of another node",
    },
    Owner {
        key: "queue",
        label: "queue",
        fill: ink("queue", Colour(230, 159, 0), Colour(230, 159, 0)),
        on: ON_PALE,
        meaning: "has a request standing in line behind others: for the bus, for memory, for another shared part",
    },
    Owner {
        key: "coherence",
        label: "coherence",
        fill: ink("coherence", Colour(204, 121, 167), Colour(204, 121, 167)),
        on: ON_PALE,
        meaning: "waits until other caches have given up a line or handed it over",
    },
    Owner {
        key: "synchronisation",
        label: "synchronisation",
        fill: ink("synchronisation", Colour(240, 228, 66), Colour(240, 228, 66)),
        on: ON_PALE,
        meaning: "waits for other threads: at a barrier, a lock or an await",
    },
    Owner {
        key: "network",
        label: "network",
        fill: ink("network", Colour(51, 34, 136), Colour(98, 82, 200)),
        on: ON_DEEP,
        meaning: "waits while its requests and their answers cross the interconnect",
    },
    Owner {
        key: "message",
        label: "messages",
        fill: ink("message", Colour(110, 110, 20), Colour(116, 116, 36)),
        on: ON_DEEP,
        meaning: "sends or receives a message, or waits while it is on its way",
    },
    Owner {
        key: "idle",
        label: "idle",
        fill: ink("idle", Colour(200, 205, 211), Colour(134, 142, 153)),
        on: ON_PALE,
        meaning: "has nothing to run: no thread was placed on it, or its thread has ended",
    },
];

/// Lines of a plot that are told apart by their colour, after Okabe and Ito; the owners of time have the same ones.
pub const SERIES: [Ink; 8] = [
    OWNERS[0].fill,
    OWNERS[7].fill,
    OWNERS[3].fill,
    OWNERS[10].fill,
    OWNERS[9].fill,
    OWNERS[8].fill,
    OWNERS[1].fill,
    OWNERS[4].fill,
];

/// Every ink, once.
fn inks() -> impl Iterator<Item = Ink> {
    [PAPER, PANEL, TEXT, MUTED, RULE, ACCENT, ALARM, ON_DEEP, ON_PALE]
        .into_iter()
        .chain(HEAT)
        .chain(ON_HEAT)
        .chain(OWNERS.iter().map(|owner| owner.fill))
}

/// CSS that gives every ink its variable: the light values for all media, the dark ones for screens whose reader asks for dark.
pub fn variables() -> String {
    let declare = |pick: fn(&Ink) -> Colour| {
        let mut css = String::new();
        for ink in inks() {
            write!(css, "--{}:{};", ink.variable, pick(&ink).hex()).expect("a string takes everything");
        }
        css
    };
    format!(
        ":root{{{}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{}}}}}\n",
        declare(|ink| ink.light),
        declare(|ink| ink.dark)
    )
}

/// The same SVG with the colours of attributes as CSS variables. Only whole attribute values change, and a quotation mark in a text
/// is escaped, so a text that looks like a colour stays as it is.
pub fn themed(svg: &str) -> String {
    inks()
        .fold(svg.to_owned(), |svg, ink| svg.replace(&format!("\"{}\"", ink.light.hex()), &format!("\"var(--{})\"", ink.variable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Colour) -> f64 {
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { libm::pow((value + 0.055) / 1.055, 2.4) }
        };
        0.2126 * channel(colour.0) + 0.7152 * channel(colour.1) + 0.0722 * channel(colour.2)
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    fn contrast(a: Colour, b: Colour) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn texts_can_be_read_on_what_they_stand_on_in_both_themes() {
        let mut pairs: Vec<(Ink, Ink)> = OWNERS.iter().map(|owner| (owner.on, owner.fill)).collect();
        pairs.extend(ON_HEAT.into_iter().zip(HEAT));
        for text in [TEXT, MUTED, ACCENT, ALARM] {
            pairs.extend([(text, PAPER), (text, PANEL)]);
        }
        for (text, ground) in pairs {
            for (theme, text_colour, ground_colour) in [("light", text.light, ground.light), ("dark", text.dark, ground.dark)] {
                let ratio = contrast(text_colour, ground_colour);
                assert!(ratio >= 4.5, "{} on {} in {theme}: {ratio:.2}", text.variable, ground.variable);
            }
        }
        assert!(contrast(Colour(150, 150, 150), Colour(255, 255, 255)) < 4.5, "the check can fail");
    }

    #[test]
    fn every_ink_has_a_colour_of_its_own_on_paper_so_that_it_can_be_themed() {
        let mut colours: Vec<(Colour, &str)> = inks().map(|ink| (ink.light, ink.variable)).collect();
        colours.sort();
        for pair in colours.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{} and {}", pair[0].1, pair[1].1);
        }
    }

    #[test]
    fn theming_changes_attributes_and_not_texts() {
        let svg = format!("<text fill=\"{0}\">{0} &quot;{0}&quot;</text>", TEXT.light.hex());
        assert_eq!(themed(&svg), "<text fill=\"var(--text)\">#1B1E23 &quot;#1B1E23&quot;</text>");
    }

    #[test]
    fn heat_has_five_steps_and_takes_anything() {
        let steps = [f64::NAN, -1.0, 0.0, 0.19, 0.2, 0.5, 0.79, 0.8, 1.0, 7.0, f64::INFINITY].map(heat);
        assert_eq!(steps, [0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4]);
    }
}
