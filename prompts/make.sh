#!/bin/sh
# Makes every prompt of this folder: speech by espeak-ng, tones and music by sox.
#
#   apt-get install espeak-ng sox && prompts/make.sh
#
# The same versions of the two make the same bytes: -R seeds sox, -D leaves the dither out. Made with
# espeak-ng 1.51 and sox 14.4.2. Mandarin is given in pinyin with tone numbers, because espeak-ng as
# Debian packs it reads no characters; the characters stand above each line.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# speak LOCALE NAME TEXT: a sentence, its edges cut to the speech, then padded.
speak() {
    case $1 in
        en-US) espeak-ng -v en-us -s 155 -g 2 -w "$scratch/raw.wav" "$3" ;;
        zh-CN) espeak-ng -v cmn-latn-pinyin -s 165 -w "$scratch/raw.wav" "$3" ;;
    esac
    mkdir -p "$1"
    case $2 in
        digit-* | number-*) pad="0.01 0.05" ;;
        *) pad="0.05 0.15" ;;
    esac
    # shellcheck disable=SC2086
    sox -R -D "$scratch/raw.wav" -c 1 -b 16 "$1/$2.wav" \
        gain -6 highpass 150 rate 8000 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse \
        gain -n -4 pad $pad
}

# lines LOCALE: reads lines "NAME TEXT".
lines() {
    while read -r name text; do
        case $name in '' | '#'*) continue ;; esac
        speak "$1" "$name" "$text"
    done
}

lines en-US <<'END'
welcome          Welcome. To speak to an agent, press 1.
invalid          Sorry, that is not a valid choice.
no-input         Sorry, we did not receive your choice.
goodbye          Thank you for calling. Goodbye.
recording-notice This call may be recorded to improve our service.
please-wait      Please hold. We are connecting you.
busy             All our lines are busy. Please call again later.
closed           We are closed at the moment. Please call during our opening hours.
nobody           There is no agent on duty at the moment.
try-later        Please try again later.
position         You are number
position-after   in the queue.
wait-moment      Your wait will be less than a minute.
wait-up-to       The estimated waiting time is up to
wait-estimate    The estimated waiting time is
wait-to          to
wait-minutes     minutes.
agent-waited     Waiting for
agent-seconds    seconds.
comfort          Thank you for waiting. We will be with you as soon as we can.
callback-offer   You need not wait. To keep your place and be called back, press
callback-number  We will call you back at
callback-choose  If that is right, press one. For another number, press two.
callback-type    Please enter the number to call, then press pound.
callback-refused This number cannot be called.
callback-set     We keep your place, and will call you back. Goodbye.
callback-sorry   We cannot call you back at the moment. Please stay on the line.
callback-confirm This is the call that you asked for. To be connected, press one.
agent-id         Please enter your agent number, then press the pound key.
agent-pin        Please enter your PIN, then press the pound key.
agent-in         You are logged in.
agent-out        You are logged out.
agent-available  You are available.
agent-away       You are away.
agent-break-later You will be away when somebody else is here.
agent-break-refused You are the last one here and cannot take a break now.
agent-reason     Please press the digit of the reason.
agent-denied     The agent number or the PIN is wrong.
wrap-up-done     Wrap-up has ended.
wrap-up-extended Wrap-up has been extended.
forward-number   Please enter the number that your calls go to, then press the pound key.
service-on       The service is on.
service-off      The service is off.
echo             This is an echo test. You will hear what you say.
digit-0          zero
digit-1          one
digit-2          two
digit-3          three
digit-4          four
digit-5          five
digit-6          six
digit-7          seven
digit-8          eight
digit-9          nine
number-10        ten
number-11        eleven
number-12        twelve
number-13        thirteen
number-14        fourteen
number-15        fifteen
number-16        sixteen
number-17        seventeen
number-18        eighteen
number-19        nineteen
number-20        twenty
number-30        thirty
number-40        forty
number-50        fifty
number-60        sixty
number-70        seventy
number-80        eighty
number-90        ninety
number-hundred   hundred
number-thousand  thousand
END

lines zh-CN <<'END'
# 您好，欢迎致电。人工服务，请按一。
welcome          nin2 hao3, huan1 ying2 zhi4 dian4. ren2 gong1 fu2 wu4, qing3 an4 yi1.
# 对不起，您的输入有误。
invalid          dui4 bu4 qi3, nin2 de5 shu1 ru4 you3 wu4.
# 对不起，没有收到您的输入。
no-input         dui4 bu4 qi3, mei2 you3 shou1 dao4 nin2 de5 shu1 ru4.
# 感谢您的来电，再见。
goodbye          gan3 xie4 nin2 de5 lai2 dian4, zai4 jian4.
# 为提高服务质量，您的通话可能会被录音。
recording-notice wei4 ti2 gao1 fu2 wu4 zhi4 liang4, nin2 de5 tong1 hua4 ke3 neng2 hui4 bei4 lu4 yin1.
# 正在为您接通，请稍候。
please-wait      zheng4 zai4 wei4 nin2 jie1 tong1, qing3 shao1 hou4.
# 线路繁忙，请稍后再拨。
busy             xian4 lu4 fan2 mang2, qing3 shao1 hou4 zai4 bo1.
# 现在是非工作时间，请在工作时间来电。
closed           xian4 zai4 shi4 fei1 gong1 zuo4 shi2 jian1, qing3 zai4 gong1 zuo4 shi2 jian1 lai2 dian4.
# 当前没有客服人员在线。
nobody           dang1 qian2 mei2 you3 ke4 fu2 ren2 yuan2 zai4 xian4.
# 请稍后再试。
try-later        qing3 shao1 hou4 zai4 shi4.
# 您当前排在第 … 位。
position         nin2 dang1 qian2 pai2 zai4 di4
position-after   wei4.
# 预计等候时间不到一分钟。
wait-moment      yu4 ji4 deng3 hou4 shi2 jian1 bu2 dao4 yi4 fen1 zhong1.
# 预计等候时间不超过 … 分钟。
wait-up-to       yu4 ji4 deng3 hou4 shi2 jian1 bu4 chao1 guo4
# 预计等候时间为 … 到 … 分钟。
wait-estimate    yu4 ji4 deng3 hou4 shi2 jian1 wei2
wait-to          dao4
wait-minutes     fen1 zhong1.
# 已等候 … 秒。
agent-waited     yi3 deng3 hou4
agent-seconds    miao3.
# 感谢您的耐心等候，我们将尽快为您服务。
comfort          gan3 xie4 nin2 de5 nai4 xin1 deng3 hou4, wo3 men5 jiang1 jin3 kuai4 wei4 nin2 fu2 wu4.
# 不想等候，我们可以保留您的位置并给您回电，请按 …
callback-offer   bu4 xiang3 deng3 hou4, wo3 men5 ke3 yi3 bao3 liu2 nin2 de5 wei4 zhi4 bing4 gei3 nin2 hui2 dian4, qing3 an4
# 我们将回拨 …
callback-number  wo3 men5 jiang1 hui2 bo1
# 确认请按一，更改号码请按二。
callback-choose  que4 ren4 qing3 an4 yi1, geng1 gai3 hao4 ma3 qing3 an4 er4.
# 请输入回电号码，按井号键结束。
callback-type    qing3 shu1 ru4 hui2 dian4 hao4 ma3, an4 jing3 hao4 jian4 jie2 shu4.
# 该号码不能回拨。
callback-refused gai1 hao4 ma3 bu4 neng2 hui2 bo1.
# 已为您保留排队位置，我们将给您回电，再见。
callback-set     yi3 wei4 nin2 bao3 liu2 pai2 dui4 wei4 zhi4, wo3 men5 jiang1 gei3 nin2 hui2 dian4, zai4 jian4.
# 暂时无法回电，请继续等候。
callback-sorry   zan4 shi2 wu2 fa3 hui2 dian4, qing3 ji4 xu4 deng3 hou4.
# 这是您要求的回电，接通请按一。
callback-confirm zhe4 shi4 nin2 yao1 qiu2 de5 hui2 dian4, jie1 tong1 qing3 an4 yi1.
# 请输入工号，按井号键结束。
agent-id         qing3 shu1 ru4 gong1 hao4, an4 jing3 hao4 jian4 jie2 shu4.
# 请输入密码，按井号键结束。
agent-pin        qing3 shu1 ru4 mi4 ma3, an4 jing3 hao4 jian4 jie2 shu4.
# 签入成功。
agent-in         qian1 ru4 cheng2 gong1.
# 您已签出。
agent-out        nin2 yi3 qian1 chu1.
# 您已示闲。
agent-available  nin2 yi3 shi4 xian2.
# 您已示忙。
agent-away       nin2 yi3 shi4 mang2.
# 有其他坐席在岗后，您将自动示忙。
agent-break-later you3 qi2 ta1 zuo4 xi2 zai4 gang3 hou4, nin2 jiang1 zi4 dong4 shi4 mang2.
# 您是最后一位在岗坐席，现在不能示忙。
agent-break-refused nin2 shi4 zui4 hou4 yi2 wei4 zai4 gang3 zuo4 xi2, xian4 zai4 bu4 neng2 shi4 mang2.
# 请按数字键选择原因。
agent-reason     qing3 an4 shu4 zi4 jian4 xuan3 ze2 yuan2 yin1.
# 工号或密码错误。
agent-denied     gong1 hao4 huo4 mi4 ma3 cuo4 wu4.
# 话后处理已结束。
wrap-up-done     hua4 hou4 chu3 li3 yi3 jie2 shu4.
# 话后处理已延长。
wrap-up-extended hua4 hou4 chu3 li3 yi3 yan2 chang2.
# 请输入呼叫转移的号码，按井号键结束。
forward-number   qing3 shu1 ru4 hu1 jiao4 zhuan3 yi2 de5 hao4 ma3, an4 jing3 hao4 jian4 jie2 shu4.
# 业务已开通。
service-on       ye4 wu4 yi3 kai1 tong1.
# 业务已取消。
service-off      ye4 wu4 yi3 qu3 xiao1.
# 这是回声测试，您将听到自己的声音。
echo             zhe4 shi4 hui2 sheng1 ce4 shi4, nin2 jiang1 ting1 dao4 zi4 ji3 de5 sheng1 yin1.
# 零 一 二 三 四 五 六 七 八 九
digit-0          ling2
digit-1          yi1
digit-2          er4
digit-3          san1
digit-4          si4
digit-5          wu3
digit-6          liu4
digit-7          qi1
digit-8          ba1
digit-9          jiu3
# 十 两 百 千
number-10        shi2
number-liang     liang3
number-hundred   bai3
number-thousand  qian1
END

# The signal to speak after it: 1 kHz, 400 ms.
sox -R -D -n -r 8000 -c 1 -b 16 beep.wav synth 0.4 sine 1000 fade t 0.01 0.4 0.02 gain -n -10

# What a caller hears while a phone rings: 450 Hz, one second of five.
sox -R -D -n -r 8000 -c 1 -b 16 ringback.wav \
    synth 1 sine 450 fade t 0.01 1 0.01 gain -n -8 pad 0 4

# bar NAME FREQUENCY...: four seconds of a chord, and its notes plucked one after the other.
bar() {
    name=$1 low=$2 middle=$3 high=$4 top=$5
    sox -R -D -n -r 16000 -c 1 -b 16 "$scratch/pad.wav" \
        synth 4 sine "$low" synth 4 sine mix "$middle" synth 4 sine mix "$high" \
        tremolo 4 15 fade t 0.5 4 0.8 gain -n -20
    plucked=
    place=0
    for note in "$low" "$middle" "$high" "$top" "$high" "$middle" "$high" "$top"; do
        sox -R -D -n -r 16000 -c 1 -b 16 "$scratch/note$place.wav" \
            synth 0.5 pluck "$note" fade h 0.005 0.5 0.15 gain -n -9
        plucked="$plucked $scratch/note$place.wav"
        place=$((place + 1))
    done
    # shellcheck disable=SC2086
    sox -R -D $plucked "$scratch/plucked.wav"
    sox -R -D -m "$scratch/pad.wav" "$scratch/plucked.wav" "$scratch/bar-$name.wav"
}

# Six bars: C, A minor, F, G, E minor 7, F with G, which leads back to the beginning.
bar 1 523.25 659.26 783.99 1046.50
bar 2 440.00 523.25 659.26 880.00
bar 3 349.23 440.00 523.25 698.46
bar 4 392.00 493.88 587.33 783.99
bar 5 329.63 493.88 587.33 783.99
bar 6 349.23 440.00 587.33 783.99
sox -R -D "$scratch"/bar-[1-6].wav -c 1 -b 16 hold.wav \
    reverb 25 rate 8000 fade t 0.01 24 0.05 gain -n -14
