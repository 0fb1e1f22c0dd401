//! The page, in a real browser: sorted, searched, without scripts, in the dark, on paper.
//!
//! `CNI_STEWARD_PICTURES=DIR` leaves pictures of 3, 20 and 500 rows there, light and dark, for a person to look at.

use cni_steward::audit::html;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::fleet::{PROGRAM, fleet};
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, Chromium};

const NEEDS: &[Tool] = &[Chromium];

pub(crate) const CASES: &[Case] = &[
    Case { name: "page::sorts_by_each_column_with_the_keyboard_alone", needs: NEEDS, run: sorts },
    Case { name: "page::shows_what_is_searched_and_the_state_that_is_chosen", needs: NEEDS, run: searches },
    Case { name: "page::tells_all_without_scripts", needs: NEEDS, run: without_scripts },
    Case { name: "page::text_from_clusters_stays_text", needs: NEEDS, run: stays_text },
    Case { name: "page::is_readable_in_the_light_in_the_dark_and_on_paper", needs: NEEDS, run: readable },
    Case { name: "page::complains_about_nothing_and_asks_no_network", needs: NEEDS, run: quiet },
];

fn browser(rows: usize) -> Browser {
    let mut browser = Browser::start();
    browser.open(&html(&fleet(rows), PROGRAM));
    browser
}

/// The contexts of the rows that can be seen, in their order.
fn shown(browser: &mut Browser) -> Vec<String> {
    let rows = "[...document.querySelectorAll('tbody tr')].filter(r => r.checkVisibility()).map(r => r.cells[0].textContent)";
    serde_json::from_value(browser.eval(rows)).unwrap()
}

fn said(browser: &mut Browser) -> String {
    browser.eval("document.querySelector('output').textContent").as_str().unwrap().to_owned()
}

fn order(browser: &mut Browser) -> Value {
    browser.eval("[...document.querySelectorAll('thead th')].map(h => h.getAttribute('aria-sort'))")
}

fn sorts() {
    let mut browser = browser(12);
    let asked = shown(&mut browser);
    // Radio buttons are one stop, then the search, then the region with the table, then its first heading.
    for _ in 0..4 {
        browser.press("Tab");
    }
    let focus = "document.activeElement.textContent";
    assert_eq!(browser.eval(focus), "Context");
    browser.press("Enter");
    let mut sorted = asked.clone();
    sorted.sort_by_key(|context| (context.contains('生'), context.to_lowercase()));
    let seen = shown(&mut browser);
    let position = |context: &str| seen.iter().position(|seen| seen == context).unwrap();
    assert!(position("prod-ap-northeast-1-12") < position("prod-eu-west-1-1"), "{seen:?}");
    assert!(position("prod-eu-west-1-1") < position("prod-eu-west-1-10"), "numbers by value: {seen:?}");
    assert_eq!(order(&mut browser)[0], "ascending");
    assert_eq!(said(&mut browser), "12 of 12 shown, Context, ascending");
    browser.press("Enter");
    let mut turned = shown(&mut browser);
    turned.reverse();
    assert_eq!((turned, order(&mut browser)[0].clone()), (seen, json!("descending")));
    browser.press("Enter");
    assert_eq!((shown(&mut browser), order(&mut browser)[0].clone()), (asked, json!("none")));

    // v1.9 comes before v1.16, and what nobody knows comes last, whichever way.
    for _ in 0..3 {
        browser.press("Tab");
    }
    assert_eq!(browser.eval(focus), "VPC CNI");
    let versions = "[...document.querySelectorAll('tbody tr')].map(r => r.cells[3]?.textContent ?? '')";
    browser.press("Enter");
    let up: Vec<String> = serde_json::from_value(browser.eval(versions)).unwrap();
    assert_eq!((&*up[0], &*up[9], &*up[10], &*up[11]), ("v1.9.0", "v1.16.4", "", ""), "{up:?}");
    browser.press("Enter");
    let down: Vec<String> = serde_json::from_value(browser.eval(versions)).unwrap();
    assert_eq!((&*down[0], &*down[9], &*down[10], &*down[11]), ("v1.16.4", "v1.9.0", "", ""), "{down:?}");
    assert_eq!(order(&mut browser), json!(["none", "none", "none", "descending", "none", "none", "none"]));
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

fn searches() {
    let mut browser = browser(20);
    assert_eq!(said(&mut browser), "20 of 20 shown");
    browser.press("Tab");
    browser.press("ArrowRight");
    browser.press("ArrowRight");
    assert_eq!(shown(&mut browser), ["<script>alert(1)</script>", "staging-eu-west-1-13"], "problems");
    assert_eq!(said(&mut browser), "2 of 20 shown");
    browser.press("Tab");
    browser.write("cs001 STAGING");
    assert_eq!(shown(&mut browser), ["staging-eu-west-1-13"]);
    assert_eq!(said(&mut browser), "1 of 20 shown");
    browser.eval("document.getElementById('all').click()");
    browser.eval("document.getElementById('find').value = ''");
    browser.write(" kubectl auth can-i");
    assert_eq!(
        shown(&mut browser),
        ["dev-eu-west-1-7", "dev-us-east-1-17"],
        "the message of a gap is searched too"
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

fn without_scripts() {
    let mut browser = Browser::start();
    browser.without_scripts();
    browser.open(&html(&fleet(20), PROGRAM));
    assert_eq!(shown(&mut browser).len(), 20);
    assert_eq!(browser.eval("document.querySelectorAll('thead button, label.find:not([hidden])').length"), 0);
    // Which state is shown needs no script.
    browser.press("Tab");
    browser.press("ArrowRight");
    assert_eq!(shown(&mut browser).len(), 4, "not audited");
}

fn stays_text() {
    let mut browser = browser(3);
    assert_eq!(shown(&mut browser)[2], "<script>alert(1)</script>");
    assert_eq!(browser.eval("document.scripts.length"), 1);
    assert_eq!(browser.eval("document.images.length"), 0);
    // What should slip in all the same is not run.
    browser.eval("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\">')");
    let refused = browser.complaints();
    assert!(refused.iter().any(|told| told.to_string().contains("Content Security Policy")), "{refused:#?}");
    assert_eq!(browser.eval("window.hacked === undefined"), true);
}

/// The contrast between text and what is behind it, by the formula of WCAG.
const CONTRASTS: &str = "(() => {
  const light = (css) => { const [r, g, b] = css.match(/[\\d.]+/g).map((n) => n / 255).map((c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('h1,p,code,.pill,th,td,.tag,small,.fine,dd,output')].filter((e) => e.checkVisibility()).map((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.outerHTML.slice(0, 80)]; }).sort((x, y) => x[0] - y[0])[0];
})()";

fn readable() {
    let pictures = std::env::var_os("CNI_STEWARD_PICTURES").map(std::path::PathBuf::from);
    let mut browser = Browser::start();
    for rows in [3, 20, 500] {
        browser.open(&html(&fleet(rows), PROGRAM));
        for (medium, colours, page) in [
            ("screen", "light", "rgb(246, 247, 248)"),
            ("screen", "dark", "rgb(16, 19, 22)"),
            ("print", "light", "rgb(255, 255, 255)"),
        ] {
            browser.prefer(medium, colours);
            let behind = browser.eval("getComputedStyle(document.body).backgroundColor");
            assert_eq!(behind, page, "{rows} rows, {medium}, {colours}");
            let lowest = browser.eval(CONTRASTS);
            assert!(
                lowest[0].as_f64().unwrap() >= 4.5,
                "{medium}, {colours}: expected a contrast of 4.5, got {lowest}"
            );
            assert_eq!(browser.eval("document.forms[0].checkVisibility()"), medium == "screen");
            if let Some(folder) = &pictures {
                browser.picture(&folder.join(format!("{rows}-{medium}-{colours}.png")));
            }
        }
        browser.prefer("screen", "light");
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth <= innerWidth"),
            true,
            "{rows} rows fit in width"
        );
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

fn quiet() {
    let mut browser = browser(500);
    browser.eval("document.querySelectorAll('thead button').forEach(b => b.click())");
    assert_eq!(shown(&mut browser).len(), 500);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    let semantics = "[document.documentElement.lang, document.querySelector('caption').textContent, \
         document.querySelectorAll('tbody th[scope=row]').length, document.querySelectorAll('thead th[scope=col]').length, \
         document.querySelectorAll('h1').length, document.querySelector('legend').textContent]";
    assert_eq!(
        browser.eval(semantics),
        json!(["en", "The VPC CNI in each cluster", 500, 7, 1, "Which clusters are shown"])
    );
}
