//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-Bq6MkaiG.js",
        content_type: "text/javascript",
        tag: "\"d4f92f2405388bf2\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/Chart-CnsZ1jie.css",
        content_type: "text/css",
        tag: "\"0fd9465202f6dfce\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.css.gz"),
    },
    File {
        path: "assets/JobGraph-BBlqmWFb.js",
        content_type: "text/javascript",
        tag: "\"2ea37c445d3581c8\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-Bb0KZeTD.css",
        content_type: "text/css",
        tag: "\"b03983bff053d204\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-CszXmD5J.js",
        content_type: "text/javascript",
        tag: "\"1c97a71fc9206226\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/main-C7MXAptS.js",
        content_type: "text/javascript",
        tag: "\"2f4fe23253b21539\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/units-CXSguvDc.js",
        content_type: "text/javascript",
        tag: "\"b64200d65cab173f\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"1310ddab46ff42a6\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
