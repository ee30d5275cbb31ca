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
        path: "assets/Chart-UupMtiTp.js",
        content_type: "text/javascript",
        tag: "\"2290012936076e74\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/JobGraph-BGXuV9I3.js",
        content_type: "text/javascript",
        tag: "\"51e8bb58891a871e\"",
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
        path: "assets/index-BtKkxxOL.js",
        content_type: "text/javascript",
        tag: "\"e948874c0843cfd3\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-fANb6s8b.css",
        content_type: "text/css",
        tag: "\"fb349cf7c0eff9ff\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/main-cxKVzXY0.js",
        content_type: "text/javascript",
        tag: "\"9ed5d8c9f2784a08\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/units-Detu42ZV.js",
        content_type: "text/javascript",
        tag: "\"63f9333c14605349\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"23928598c8b2c333\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
