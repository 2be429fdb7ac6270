//! A small builder for pictures that are drawn by hand: rectangles, lines, texts, groups with a tooltip.

use std::fmt::{Display, Write as _};

use super::figure::Anchor;
use super::human;
use super::palette::Ink;

/// A text as XML and HTML hold it, in element content and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in human::printable(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A rectangle's place and size in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    /// The x of the middle.
    pub fn centre(self) -> f64 {
        self.x + self.width / 2.0
    }

    /// The y below the rectangle.
    pub fn bottom(self) -> f64 {
        self.y + self.height
    }

    /// The x right of the rectangle.
    pub fn right(self) -> f64 {
        self.x + self.width
    }
}

/// How letters look.
#[derive(Clone, Copy)]
pub struct Letters {
    pub size: f64,
    pub ink: Ink,
    pub anchor: Anchor,
    pub bold: bool,
}

/// A picture in the making.
pub struct Svg {
    width: u32,
    height: u32,
    body: String,
}

/// Pixels with one decimal, without a zero behind the point.
fn pixels(value: f64) -> impl Display {
    (value * 10.0).round() / 10.0
}

impl Svg {
    /// An empty picture of a size in pixels.
    pub fn new(width: u32, height: u32) -> Svg {
        Svg { width, height, body: String::new() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The elements drawn.
    pub fn into_body(self) -> String {
        self.body
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        self.body.write_fmt(element).expect("a string takes everything");
        self.body.push('\n');
    }

    /// Opens a group whose tooltip is `title`; [`Svg::close`] ends it.
    pub fn open(&mut self, title: &str) {
        self.push(format_args!("<g><title>{}</title>", escape(title)));
    }

    /// Opens a group that a page can find as its step of that number.
    pub fn open_step(&mut self, number: usize, title: &str) {
        self.push(format_args!("<g class=\"step\" data-step=\"{number}\"><title>{}</title>", escape(title)));
    }

    /// Ends the group opened last.
    pub fn close(&mut self) {
        self.push(format_args!("</g>"));
    }

    /// A rectangle with round corners, filled, and with an outline where one is given.
    pub fn rect(&mut self, rect: Rect, radius: f64, fill: Ink, outline: Option<Ink>) {
        let Rect { x, y, width, height } = rect;
        let stroke = outline.map_or(String::new(), |ink| format!(" stroke=\"{}\"", ink.light.hex()));
        self.push(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"{}\"{stroke}/>",
            pixels(x),
            pixels(y),
            pixels(width.max(0.0)),
            pixels(height.max(0.0)),
            pixels(radius),
            fill.light.hex()
        ));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink, width: f64) {
        self.push(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"{}\"/>",
            pixels(from.0),
            pixels(from.1),
            pixels(to.0),
            pixels(to.1),
            ink.light.hex(),
            pixels(width)
        ));
    }

    /// A text whose baseline begins, is centred or ends at a point; at most `room` pixels wide.
    pub fn text(&mut self, at: (f64, f64), text: &str, room: f64, letters: Letters) {
        let anchor = match letters.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if letters.bold { " font-weight=\"bold\"" } else { "" };
        self.push(format_args!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{weight}>{}</text>",
            pixels(at.0),
            pixels(at.1),
            pixels(letters.size),
            letters.ink.light.hex(),
            escape(&human::fit(text, room, letters.size))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::palette::{PANEL, RULE, TEXT};
    use super::*;

    #[test]
    fn elements_are_written_plainly() {
        let mut svg = Svg::new(100, 40);
        svg.open("core \"0\"");
        svg.rect(Rect { x: 1.0, y: 2.04, width: 30.25, height: -3.0 }, 4.0, PANEL, Some(RULE));
        svg.line((0.0, 0.0), (10.0, 5.5), TEXT, 1.5);
        svg.text(
            (5.0, 9.0),
            "<script> & a name far too long",
            60.0,
            Letters { size: 10.0, ink: TEXT, anchor: Anchor::End, bold: true },
        );
        svg.close();
        insta::assert_snapshot!(svg.into_body(), @r###"
        <g><title>core &quot;0&quot;</title>
        <rect x="1" y="2" width="30.3" height="0" rx="4" fill="#F6F7F9" stroke="#D8DDE3"/>
        <line x1="0" y1="0" x2="10" y2="5.5" stroke="#1B1E23" stroke-width="1.5"/>
        <text x="5" y="9" font-size="10" text-anchor="end" fill="#1B1E23" font-weight="bold">&lt;script&gt; &amp;…</text>
        </g>
        "###);
    }
}
