//! The explorer's page: it needs nothing else, all of its parts are linked to the source, and its marks are well formed.

use wengert::prelude::*;

fn page() -> String {
    let f = |(w, b): (Array, Array)| {
        let hidden = (w * 2.0 + b).tanh();
        let last = scan(|c: Array, r: Array| ((c * r).sin(), ()), hidden.sum(), hidden.clone()).0;
        cond(&last.lt(5.0), || last.exp(), || last.clone()) + hidden.square().mean()
    };
    // The name has marks that mean something in HTML.
    let file = std::env::temp_dir().join(format!("explore <&> {}.html", std::process::id()));
    explore(f, (array![0.1, 0.2, 0.3], Array::from(0.5)), &file).unwrap();
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    page
}

#[test]
fn a_page_of_its_own_whose_parts_are_linked_by_line() {
    let page = page();
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("src=") && !outside.contains("href="));
    for tab in ["traced", "jvp", "split: values", "split: tangents", "transposed", "value and gradient", "loops"] {
        assert!(page.contains(&format!("<h2>{tab}</h2>")), "{tab}");
    }
    // The line of `tanh` in the source, and what stems from it in every kind of panel.
    let line = 1 + include_str!("explore.rs").lines().position(|l| l.contains("(w * 2.0 + b).tanh()")).unwrap();
    let link = format!("data-line=\"crates/wengert/tests/explore.rs:{line}\"");
    let sections: Vec<&str> = page.split("<section").collect();
    assert!(sections[0].contains(&link), "the source");
    let linked = |title: &str| {
        let section = sections.iter().find(|s| s.contains(&format!("<h2>{title}</h2>")));
        assert!(section.unwrap_or_else(|| panic!("there is {title}")).contains(&link), "{title}");
    };
    ["traced", "jvp", "split: values", "value and gradient", "loops", "machine code"].into_iter().for_each(linked);
    ["evaluation trace", "graph", "graph of the gradient"].into_iter().for_each(linked);
}

#[test]
fn every_mark_is_closed() {
    let page = page();
    let mut open: Vec<String> = Vec::new();
    for rest in page.split('<').skip(1) {
        let (mark, _) = rest.split_once('>').expect("a mark ends");
        let name: String = mark.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        if mark.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{mark}");
        } else if !mark.ends_with('/') && !mark.starts_with('!') && !["meta", "br"].contains(&name.as_str()) {
            // What is a number's comparison in a script or a style is none here: they have no such marks.
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// What a reader does, done in Chromium: pointing at a line lights what stems from it in every tab, leaving it puts that out,
/// and a click opens a tab. Without the Debian package `chromium` nothing is tested, and a line says so.
#[test]
fn a_browser_lights_what_is_pointed_at_and_opens_tabs() {
    let line = 1 + include_str!("explore.rs").lines().position(|l| l.contains("(w * 2.0 + b).tanh()")).unwrap();
    let probe = format!(
        "<script>
        const at = document.querySelector('aside [data-line=\"crates/wengert/tests/explore.rs:{line}\"]');
        const lit = () => document.querySelectorAll('.lit').length;
        const point = type => at.dispatchEvent(new MouseEvent(type, {{bubbles: true}}));
        const found = [lit()];
        point('mouseover');
        const tabs = new Set([...document.querySelectorAll('.lit')].map(e => e.closest('section')?.id));
        found.push(lit(), tabs.size, document.querySelectorAll('[data-line=\"' + at.dataset.line + '\"]').length);
        point('mouseout');
        found.push(lit());
        const last = [...document.querySelectorAll('button')].at(-1);
        last.click();
        const open = document.querySelectorAll('.tab.open');
        found.push(open.length, Number(open[0].id === 'tab' + last.dataset.tab), open[0].getBoundingClientRect().height);
        document.title = 'found ' + found.map(Math.round).join(' ');
        </script></body>"
    );
    let file = std::env::temp_dir().join(format!("explored-{}.html", std::process::id()));
    std::fs::write(&file, page().replace("</body>", &probe)).unwrap();
    let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"];
    let output = std::process::Command::new("chromium").args(arguments).arg(&file).output();
    std::fs::remove_file(file).unwrap();
    let Ok(output) = output else { return println!("chromium is not installed: the page was not opened") };
    let page = String::from_utf8_lossy(&output.stdout);
    let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or("no title");
    let found: Vec<i64> = title.split(' ').skip(1).map(|n| n.parse().expect(title)).collect();
    let [before, lit, tabs, linked, after, open, right, height] = found[..] else { panic!("{title}") };
    assert_eq!((before, after), (0, 0), "{title}");
    assert!(lit == linked && lit > 10 && tabs >= 9, "{title}");
    assert!(open == 1 && right == 1 && height > 100, "{title}");
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    assert!(explore(|x: Array| x.sin(), 1.0.into(), "/no such folder/page.html").is_err());
}
