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
        path: "assets/JobGraph-DpF5opv5.js",
        content_type: "text/javascript",
        tag: "\"e400144cf8cbff94\"",
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
        path: "assets/index-BnUfmKyF.js",
        content_type: "text/javascript",
        tag: "\"c071573a966baa36\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-JqXgOkF0.css",
        content_type: "text/css",
        tag: "\"b8e10d3bc31c26b9\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/main-B5vVMTQI.js",
        content_type: "text/javascript",
        tag: "\"7efea569d4705f39\"",
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
        tag: "\"fd59e6f38c12213f\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
