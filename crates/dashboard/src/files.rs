//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-CnsZ1jie.css",
        content_type: "text/css",
        tag: "\"0fd9465202f6dfce\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.css.gz"),
    },
    File {
        path: "assets/Chart-D-VRwQm1.js",
        content_type: "text/javascript",
        tag: "\"03ce7f345fb05779\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/JobGraph-BLORoLvy.js",
        content_type: "text/javascript",
        tag: "\"dc21679178b5ef09\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/JobGraph-CeJeskZg.css",
        content_type: "text/css",
        tag: "\"6b6d5995217cb05d\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.css.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-DgXhfD1E.js",
        content_type: "text/javascript",
        tag: "\"a0b2bc12ef3f9c7e\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-Dwit5xUL.css",
        content_type: "text/css",
        tag: "\"b0618519c45ff066\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"3f2ce683b7a142b2\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
