//! Hostile texts, one class a line: `\n`, `\t`, `\xHH` and `\uHHHH` stand for their characters. Each is tried by itself, within a
//! sentence, a list, a quote and a link.

pub(crate) const PAYLOADS: &str = r##"<script>alert(1)</script>
<SCRIPT SRC=//evil.example/x.js></SCRIPT>
<scr<script>ipt>alert(1)</scr</script>ipt>
<script/x>alert(1)</script>
<script\n>alert(1)</script\t>
<<script>alert(1);//<</script>
<script>alert(1)
</script><script>alert(1)</script>
<!--><script>alert(1)</script>-->
<![CDATA[<script>alert(1)</script>]]>
<?php echo 1 ?><script>alert(1)</script>
<!DOCTYPE html><script>alert(1)</script>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<template><script>alert(1)</script></template>
<xmp><script>alert(1)</script></xmp>
<plaintext><script>alert(1)</script>
<listing>&lt;script&gt;alert(1)&lt;/script&gt;</listing>
<textarea><script>alert(1)</script></textarea>
<title><script>alert(1)</script></title>
<iframe src="javascript:alert(1)"></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<object data="javascript:alert(1)"></object>
<object type="text/x-scriptlet" data="//evil.example"></object>
<embed src="javascript:alert(1)">
<applet code="x"></applet>
<frameset onload=alert(1)>
<base href="//evil.example/">
<meta http-equiv="refresh" content="0;url=javascript:alert(1)">
<link rel="stylesheet" href="//evil.example/x.css">
<link rel=import href="//evil.example">
<style>@import '//evil.example/x.css';</style>
<style>body{background:url(javascript:alert(1))}</style>
<p style="background:url(//evil.example)">x</p>
<p style="width:expression(alert(1))">x</p>
<div style="position:fixed;inset:0">cover</div>
<a style="position:fixed;inset:0" href="https://evil.example">cover</a>
<img src=x onerror=alert(1)>
<img src="x` `<script>alert(1)</script>"` `>
<img """><script>alert(1)</script>">
<img src=javascript:alert(1)>
<img dynsrc="javascript:alert(1)">
<img lowsrc="javascript:alert(1)">
<img srcset="//evil.example 1x">
<image src=x onerror=alert(1)>
<picture><source srcset=//evil.example onerror=alert(1)></picture>
<body onload=alert(1)>
<body background="javascript:alert(1)">
<div onclick=alert(1)>x</div>
<p onmouseover="alert(1)">x</p>
<a onclick=alert(1) href=#>x</a>
<input autofocus onfocus=alert(1)>
<select autofocus onfocus=alert(1)></select>
<details open ontoggle=alert(1)>x</details>
<video src=x onerror=alert(1)></video>
<video><source onerror=alert(1)></video>
<video poster=javascript:alert(1)></video>
<audio src=x onerror=alert(1)></audio>
<marquee onstart=alert(1)>x</marquee>
<bgsound src="javascript:alert(1)">
<button formaction=javascript:alert(1)>x</button>
<form action=javascript:alert(1)><input type=submit></form>
<form id=x></form><button form=x formaction=javascript:alert(1)>x</button>
<isindex action=javascript:alert(1) type=image>
<keygen autofocus onfocus=alert(1)>
<table background="javascript:alert(1)"><tr><td>x</table>
<x onclick=alert(1)>x</x>
<dialog open onclose=alert(1)>x</dialog>
<div popover onbeforetoggle=alert(1)>x</div>
<a href="x" onpointerrawupdate=alert(1)>x</a>
<p onanimationstart=alert(1) class=x>x</p>
<p/onclick=alert(1)/x>x</p>
<p\x0bonclick=alert(1)>x</p>
<p id=location name=cookie>x</p>
<a id=forms name=nodes href=https://x.example>x</a>
<p class="admin is-marked">x</p>
<svg onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><script xlink:href=//evil.example /></svg>
<svg><animate onbegin=alert(1) attributeName=x></svg>
<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>
<svg><set attributeName=href to=javascript:alert(1)></svg>
<svg><foreignObject><script>alert(1)</script></foreignObject></svg>
<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"></svg>
<svg><style><img src=x onerror=alert(1)></style></svg>
<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">
<svg><desc><![CDATA[</desc><script>alert(1)</script>]]></svg>
<math><maction actiontype="statusline" xlink:href="javascript:alert(1)">x</maction></math>
<math href="javascript:alert(1)">x</math>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>
<math><annotation-xml encoding="text/html"><script>alert(1)</script></annotation-xml></math>
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](java&#x73;cript:alert(1))
[x](&#106;avascript:alert(1))
[x](&#0000106avascript:alert(1))
[x](java&Tab;script:alert(1))
[x](java&NewLine;script:alert(1))
[x](javascript&colon;alert(1))
[x](&#x1;javascript:alert(1))
[x](%6aavascript:alert(1))
[x](<javascript:alert(1)>)
[x](<java	script:alert(1)>)
[x](< javascript:alert(1)>)
[x](\u00a0javascript:alert(1))
[x](\u3000javascript:alert(1))
[x](j\u200bavascript:alert(1))
[x](\uff4aavascript:alert(1))
[x](javascript\uff1aalert(1))
[x](javascript:/*--></title></style></textarea></script><svg/onload=alert(1)>*/)
[x](javascript://x.example/%0aalert(1))
[x](vbscript:msgbox(1))
[x](livescript:alert(1))
[x](mocha:alert(1))
[x](data:text/html,<script>alert(1)</script>)
[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)
[x](data:image/svg+xml,%3Csvg%20onload=alert(1)%3E)
[x](DATA:text/html,x)
[x](file:///etc/passwd)
[x](blob:https://x.example/1)
[x](filesystem:https://x.example/1)
[x](view-source:https://x.example)
[x](intent://x#Intent;scheme=http;end)
[x](ms-word:ofe|u|https://x.example)
[x](tel:+123)
[x](sms:+123)
[x](ftp://x.example)
[x](ws://x.example)
[x](about:blank)
[x](chrome://settings)
[x](jar:https://x.example!/x)
[x](//evil.example)
[x](/\\evil.example)
[x](\\\\evil.example)
[x](/auth/sign-out)
[x](?delete=1)
[x](#top)
[x](https://x.example "title\" onclick=alert(1)")
[x](https://x.example/"onclick="alert(1))
[x](https://x.example/'onclick='alert(1))
[x](https://x.example/><script>alert(1)</script>)
[x](https://x.example/\u202egnp.exe)
<javascript:alert(1)>
<data:text/html,x>
<https://x.example/"onclick=alert(1)>
<mailto:a@x.example?subject=<script>>
![x](javascript:alert(1))
![x](https://evil.example/track.png)
![x](data:image/svg+xml,<svg/onload=alert(1)>)
![x" onerror="alert(1)](x)
[![x](https://evil.example/p.png)](javascript:alert(1))
[x]: javascript:alert(1)\n\n[x]
[x]: https://x.example '"><script>alert(1)</script>'\n\n[x]
[a]: <java\nscript:alert(1)>\n[a]
```js" onclick="alert(1)\nx\n```
```<script>\nalert(1)\n```
~~~ </code></pre><script>alert(1)</script>\nx\n~~~
`<script>alert(1)</script>`
    <script>alert(1)</script>
> <script>alert(1)</script>
- <script>alert(1)</script>
# <script>alert(1)</script>
# h1 {#id .class onclick=alert(1)}
| a | b |\n|--|--|\n| <script>alert(1)</script> | [x](javascript:alert(1)) |
**<img src=x onerror=alert(1)>**
*[x](javascript:alert(1))*
~~<svg onload=alert(1)>~~
a  \n<br onclick=alert(1)>
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)&#60;/script&#62;
&amp;lt;script&amp;gt;
\<script\>alert(1)\</script\>
\u202e<script>alert(1)</script>
\ufeff<script>alert(1)</script>
<\u200bscript>alert(1)</script>
\uff1cscript\uff1ealert(1)\uff1c/script\uff1e
\u0000<script\u0000>alert(1)</script>
<scr\u0000ipt>alert(1)</script>
<s\u0307cript>alert(1)</script>
<\u017fcript>alert(1)</\u017fcript>
\u2028<script>alert(1)</script>\u2029
[^1]\n\n[^1]: <script>alert(1)</script>
$$<script>alert(1)</script>$$
:::{onclick=alert(1)}
- [ ] <input onfocus=alert(1)>
{{ 7 * 7 }} ${7*7} <%= 7 %> #{7}
{% include "/etc/passwd" %}
<a href="https://x.example" target=_blank rel=opener ping=//evil.example download>x</a>
<a href=https://x.example rel="">x</a>
<p title='</p><script>alert(1)</script>'>
<a href="<script>alert(1)</script>">
<b><i></b></i><script>alert(1)
<p><table><script>alert(1)</script><tr><td></p>
<select><template><script>alert(1)</script></select>
<div><!-- --!><script>alert(1)</script> -->
<!--[if gte IE 4]><script>alert(1)</script><![endif]-->
<a href="https://x.example
<img src=x onerror=alert(1)//
</p></main></body><script>alert(1)</script>
+ADw-script+AD4-alert(1)+ADw-/script+AD4-
<a href="jav&#x0A;ascript:alert(1)">x</a>
<slot name=x onslotchange=alert(1)></slot>
<portal src=javascript:alert(1)></portal>
<fencedframe src=//evil.example></fencedframe>
<object><param name=x value=javascript:alert(1)></object>
<xss-element is=script onclick=alert(1)>x</xss-element>
"##;
