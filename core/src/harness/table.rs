//! A table of what a machine does, as its document shows it.

/// What happens in which state, grouped for reading.
#[derive(Default)]
pub(crate) struct Table {
    states: Vec<(&'static str, Vec<Effect>)>,
}

/// What inputs do, and which inputs do it.
type Effect = (String, Vec<&'static str>);

impl Table {
    pub(crate) fn add(&mut self, state: &'static str, input: &'static str, effect: String) {
        if self.states.last().is_none_or(|(last, _)| *last != state) {
            self.states.push((state, Vec::new()));
        }
        let (_, effects) = self.states.last_mut().expect("just pushed");
        match effects.iter_mut().find(|(known, _)| *known == effect) {
            Some((_, inputs)) => inputs.push(input),
            None => effects.push((effect, vec![input])),
        }
    }

    /// Markdown: a section a state, a row an effect.
    fn render(&self) -> String {
        let mut text = String::new();
        for (state, effects) in &self.states {
            text += &format!("\n### {state}\n\n| input | effect |\n|---|---|\n");
            for (effect, inputs) in effects {
                text += &format!("| {} | {effect} |\n", inputs.join(" · "));
            }
        }
        text
    }
}

const BEGIN: &str = "<!-- generated: what follows is made from the machine by a test -->\n";
const END: &str = "\n<!-- end of generated -->";

/// Compares a table with what stands between the marks of a document; with `UPDATE_DOCS` set, writes it there.
pub(crate) fn assert_documented(file: &str, document: &str, table: &Table) {
    let (before, rest) = document.split_once(BEGIN).expect("the document has the mark");
    let (found, after) = rest.split_once(END).expect("the document has the end mark");
    let wanted = table.render();
    if found == wanted {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        #[expect(clippy::disallowed_methods, reason = "a test writes the document that describes the code")]
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("docs can be written");
        return;
    }
    panic!(
        "docs/{file} does not say what the machine does; run this test with UPDATE_DOCS=1. It should be:\n{wanted}"
    );
}
